"""URLs of the app: ``path("conversations/", include("twilio_conversations.contrib.django.urls"))``."""

from __future__ import annotations

from django.urls import path

from twilio_conversations.contrib.django.views import token

app_name = "conversations"
urlpatterns = [path("token/", token, name="token")]
