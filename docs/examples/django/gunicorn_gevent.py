"""Settings of gunicorn with gevent: `gunicorn --config gunicorn_gevent.py desk.wsgi`.

With `preload_app` the worker would patch after Django was imported, whose database connections and TLS do not survive that.
"""

from gevent import monkey

monkey.patch_all()

worker_class = "gevent"
preload_app = True
