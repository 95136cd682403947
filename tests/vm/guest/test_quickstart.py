"""tests/quickstart on a machine that has systemd and every package, and has never seen naive-runc."""

from machine import Case
from test_integration import run_suite
from test_removal import traces


class Quickstart(Case):
    wants_package = False

    def test_all(self):
        """tests/quickstart shows both ways to run a command, systemd starts the service, --uninstall leaves nothing"""
        run_suite(self, '/vm/src/tests/integration/quickstart-check')
        self.assertEqual(traces(), [])
    test_all.limit = 3600  # it compiles, twice
