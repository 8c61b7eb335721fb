"""URLs of the site."""

from django.contrib.auth.views import LoginView
from django.urls import include, path

from desk import views

urlpatterns = [
    path("login/", LoginView.as_view(template_name="desk/login.html"), name="login"),
    path("conversations/", include("twilio_conversations.contrib.django.urls")),
    path("", views.rooms, name="rooms"),
    path("rooms/<sid>/", views.room, name="room"),
    path("rooms/<sid>/messages/<int:start>/", views.messages, name="messages"),
    path("rooms/<sid>/media/<int:index>/<media_sid>/", views.media, name="media"),
]
