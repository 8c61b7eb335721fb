"""Settings. The environment has the credentials, as `twilio-conversations env` prints them for a local service."""

import os
from pathlib import Path

BASE_DIR = Path(__file__).parent.parent
SECRET_KEY = os.environ.get("SECRET_KEY", "only for development")
DEBUG = os.environ.get("DEBUG", "1") == "1"
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "twilio_conversations.contrib.django",
    "desk",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "twilio_conversations.contrib.django.middleware.ConversationsErrorsMiddleware",
]
ROOT_URLCONF = "desk.urls"
WSGI_APPLICATION = "desk.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
            ]
        },
    }
]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ.get("DATABASE", BASE_DIR / "db.sqlite3")}}
SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
LOGIN_REDIRECT_URL = "rooms"
USE_TZ = True

# Without an address it is Twilio's; the variable TWILIO_CONVERSATIONS_ENDPOINT names a local service.
TWILIO_CONVERSATIONS = {
    "ACCOUNT_SID": os.environ.get("TWILIO_ACCOUNT_SID", ""),
    "API_KEY_SID": os.environ.get("TWILIO_API_KEY", ""),
    "API_KEY_SECRET": os.environ.get("TWILIO_API_SECRET", ""),
    "SERVICE_SID": os.environ.get("TWILIO_SERVICE_SID", ""),
}
DESK_IDENTITY = "desk"  # of the site in all conversations
BOT_IDENTITY = "desk-bot"
