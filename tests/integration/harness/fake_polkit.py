"""A polkit that answers as a test wants: wrongly, late, twice, never. On a bus without the real one."""

import contextlib
import pwd
import threading

import gi
gi.require_version('Gio', '2.0')
from gi.repository import Gio, GLib  # noqa: E402

from .hostile import wire  # noqa: E402
from .wire import Writer  # noqa: E402

NAME = 'org.freedesktop.PolicyKit1'
YES, NO, CHALLENGE = (True, False), (False, False), (False, True)


class Check:
    """One CheckAuthorization as it arrived."""

    def __init__(self, message):
        self.message = message
        (self.kind, self.subject), self.action, self.details, self.flags, self.cancellation = \
            message.get_body().unpack()


class FakePolkit:
    """`policy(polkit, check)` is called in a thread of its own for each question; see the ways to answer below. The
    questions are in `checks`, the ids of those that were cancelled in `cancelled`, the connections that have gone in
    `left`. What goes wrong in the thread is in `failures`."""

    def __init__(self, address, policy):
        self.policy, self.checks, self.cancelled, self.left, self.failures = policy, [], [], set(), []
        self.wire = wire(address, pwd.getpwnam('polkitd').pw_uid)  # who alone may own the name
        self.wire.bus('AddMatch', 's', bytes(Writer().s(
            "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged'").data))
        self.wire.bus('RequestName', 'su', bytes(Writer().s(NAME).u(0).data))
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def close(self):
        with contextlib.suppress(OSError):
            self.wire.socket.shutdown(2)
        self.thread.join()
        self.wire.close()

    # -- answers ------------------------------------------------------------------------------------
    def send(self, message):
        self.wire.serial += 1
        message.set_serial(self.wire.serial)
        with contextlib.suppress(OSError):
            self.wire.socket.sendall(message.to_blob(Gio.DBusCapabilityFlags.NONE))

    def answer(self, check, judgement, details=None):
        self.answer_raw(check, GLib.Variant('((bba{ss}))', ((*judgement, details or {}),)))

    def answer_raw(self, check, body):
        reply = Gio.DBusMessage.new_method_reply(check.message)
        reply.set_body(body)
        self.send(reply)

    def answer_error(self, check, name, words):
        self.send(Gio.DBusMessage.new_method_error_literal(check.message, name, words))

    # -- the thread ---------------------------------------------------------------------------------
    def _serve(self):
        try:
            self.wire.socket.settimeout(None)
            while True:
                self._dispatch(self.wire.message()[0])
        except OSError:
            pass  # the end
        except Exception as error:
            self.failures.append(error)
            raise

    def _dispatch(self, message):
        member = message.get_member()
        if message.get_message_type() == Gio.DBusMessageType.SIGNAL and member == 'NameOwnerChanged':
            name, _, owner = message.get_body().unpack()
            if not owner:
                self.left.add(name)
                self.on_left(name)
        elif message.get_message_type() != Gio.DBusMessageType.METHOD_CALL:
            pass
        elif member == 'CheckAuthorization':
            check = Check(message)
            self.checks.append(check)
            self.policy(self, check)
        elif member == 'CancelCheckAuthorization':
            self.cancelled.append(message.get_body().unpack()[0])

    def on_left(self, name):
        """For a test to replace."""


def always(judgement):
    return lambda polkit, check: polkit.answer(check, judgement)


def never(polkit, check):
    pass
