"""How fast: our client, the official SDK and a bare websocket loop, side by side; the service; growth. ``python -m benchmarks``.

    __main__.py     the command: runs the rows, prints the tables, writes the JSON
    publish.py      makes a run the one that docs/performance.md shows
    tables.py       the tables, and the rows of each
    rows.py         the clients, round by round, in turns
    program_rows.py rows of programs: threads that send at once, an import, a script that sends one message
    service_rows.py growth_rows.py      the service; what happens where there is a hundred times as much
    bench.py        a run: settings, the service, and the workers that take turns
    figures.py      rows with the figures of all rounds, aims, growth
    report.py       the tables for the terminal, as JSON and as Markdown
    processes.py    the processes: the service, the delay, the blaster, and one worker for each client
    programs.py     runs programs as whole processes, with compiled modules
    ours.py  official.js  bare.py       the workers of the clients' rows; they answer the same questions
    crowd.py  growing.py                those of the service's rows, and of growth
    script.py  scripted.py  blaster.py  a scripted service that sends prebuilt events as fast as the client takes them
    support/        the relay, the line with a delay and the reader of frames, which the tests use too
    seed.py         hundreds of conversations within seconds

Nothing here asserts: absolute figures depend on the machine, only ratios of one run mean something.
"""
