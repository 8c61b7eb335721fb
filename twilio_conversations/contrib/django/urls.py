"""URLs of the app: ``path("conversations/", include("twilio_conversations.contrib.django.urls"))``."""

from __future__ import annotations

from django.urls import URLPattern, path

from twilio_conversations.contrib.django.views import token

app_name: str = "conversations"
urlpatterns: list[URLPattern] = [path("token/", token, name="token")]
