"""Pages: the list of conversations, one conversation, its newer messages, its attachments."""

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET

from twilio_conversations.contrib.django import get_client

LATEST = 50


def desk():
    """Return the site's client, which all threads of this process share."""
    return get_client(settings.DESK_IDENTITY)


@login_required
def rooms(request):
    """List the conversations, or create one."""
    if request.method == "POST":
        room = desk().create_conversation(friendly_name=request.POST["name"]).join()
        room.add(settings.BOT_IDENTITY)
        return redirect("room", room.sid)
    return render(request, "desk/rooms.html", {"rooms": desk().iter_conversations()})


@login_required
def room(request, sid):
    """Show the latest messages of a conversation, or send one, with attachments."""
    room = desk().get_conversation_by_sid(sid)
    if request.method == "POST":
        files = [(file.name, file, file.content_type) for file in request.FILES.getlist("files")]
        room.send_message(request.POST["body"] or None, media=files, attributes={"from": request.user.get_username()})
        return redirect("room", sid)
    shown = [_row(message) for message in room.get_messages(LATEST)]
    return render(request, "desk/room.html", {"room": room, "messages": shown})


@require_GET
@login_required
def messages(request, sid, start):
    """Return the messages from an index on, for the page that is open."""
    room = desk().get_conversation_by_sid(sid)
    newer = room.iter_messages(newest_first=False, after=start - 1 if start else None, limit=LATEST)
    return JsonResponse({"messages": [_row(message) for message in newer]})


@require_GET
@login_required
def media(request, sid, index, media_sid):
    """Redirect to the content of an attachment; the link expires after some minutes."""
    page = desk().get_conversation_by_sid(sid).get_messages(1, anchor=index)
    for message in page:
        for attachment in message.attached_media:
            if attachment.sid == media_sid:
                return redirect(attachment.get_content_temporary_url())
    raise Http404


def _row(message):
    sender = message.attributes.get("from", message.author) if isinstance(message.attributes, dict) else message.author
    files = [{"sid": media.sid, "name": media.filename or media.sid} for media in message.attached_media]
    return {"index": message.index, "from": sender, "body": message.body or "", "files": files}
