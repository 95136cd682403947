"""The same on dbus-broker, after a reboot."""

import os

import test_activation
import test_cgroups
import test_session
import test_survival
from machine import Case, output
from test_integration import NO_LIMIT, classes_without, run_inside

SHIM = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'shims', 'broker')


class Bus(Case):
    def test_it_is_dbus_broker(self):
        """the system bus is dbus-broker"""
        self.assertEqual(output('systemctl', 'show', '-P', 'Id', 'dbus.service'), 'dbus-broker.service')
        self.assertEqual(output('pgrep', '-c', '-x', 'dbus-daemon', check=False), '0')


class Activation(test_activation.Activation):
    pass


class Leaf(test_cgroups.Leaf):
    pass


class Prompt(test_session.Prompt):
    pass


class Survival(test_survival.Survival):
    test_upgrade = None  # nothing of the bus in it


class Integration(Case):
    def test_all(self):
        """the integration tests pass with a dbus-broker as their private bus"""
        # A bus that executes services by itself is dbus-daemon's alone; here Activation does it through systemd.
        run_inside(self, 'integration', *classes_without('IdleExit', 'integration'),
                   PATH=f'{SHIM}:{os.environ["PATH"]}')
    test_all.limit = NO_LIMIT
