"""A Secret Service that does what no real one should, on the session bus of a test.

    python3 service.py ADDRESS LOG locked|refusing|FILE

`locked` has one collection, and a prompt that nobody answers; `refusing` lets nobody in. Else it has one
item, which holds what FILE holds, and cannot be changed. LOG gets a line for each method that is called.
"""

import sys

from jeepney import HeaderFields, MessageType, new_error, new_method_return
from jeepney.bus_messages import message_bus
from jeepney.io.blocking import open_dbus_connection

COLLECTION = "/org/freedesktop/secrets/collection/only"
ITEM = f"{COLLECTION}/1"
PROMPT = "/org/freedesktop/secrets/prompt/1"

address, log, mode = sys.argv[1:]


def answer(message, method):
    refused = new_error(
        message, "org.freedesktop.DBus.Error.AccessDenied", "s", ("not \x1b[31mtoday",)
    )
    match method:
        case "OpenSession":
            session = "/org/freedesktop/secrets/session/1"
            return new_method_return(message, "vo", (("s", ""), session))
        case "ReadAlias":
            return new_method_return(message, "o", (COLLECTION,))
        case "Get":
            return new_method_return(message, "v", (("b", mode == "locked"),))
        case "SearchItems" if mode != "refusing":
            items = [ITEM] if mode != "locked" else []
            return new_method_return(message, "aoao", (items, []))
        case "GetSecret" if mode != "refusing":
            with open(mode, "rb") as file:
                secret = ("/session", b"", file.read(), "text/plain")
            return new_method_return(message, "(oayays)", (secret,))
        case "Unlock":
            return new_method_return(message, "aoo", ([], PROMPT))
        case "Prompt":
            return new_method_return(message)
        case _:
            return refused


with open_dbus_connection(bus=address) as connection:
    connection.send_and_get_reply(message_bus.RequestName("org.freedesktop.secrets", 0))
    while True:
        message = connection.receive()
        if message.header.message_type != MessageType.method_call:
            continue
        method = message.header.fields[HeaderFields.member]
        with open(log, "a") as lines:
            lines.write(f"{method}\n")
        connection.send(answer(message, method))
