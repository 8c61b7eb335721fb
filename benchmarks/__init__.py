"""How fast: our client, the official SDK and a bare websocket loop, side by side. Run it as ``python -m benchmarks``.

    __main__.py     the command: runs the rows, prints the table, writes the JSON
    rows.py         what is measured, round by round, alternating between the clients
    program_rows.py rows of programs: threads that send at once, an import, a script that sends one message
    programs.py     runs programs as whole processes, with compiled modules
    report.py       medians, aims, the table and its Markdown
    processes.py    the processes: the service, the delay, the blaster, and one worker for each client
    ours.py  official.js  bare.py       the workers; they answer the same questions
    script.py  scripted.py  blaster.py  a scripted service that sends prebuilt events as fast as the client takes them
    support/        the relay, the line with a delay and the reader of frames, which the tests use too
    seed.py         hundreds of conversations within seconds

Nothing here asserts: absolute figures depend on the machine, only ratios of one run mean something.
"""
