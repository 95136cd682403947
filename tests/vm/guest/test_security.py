"""tests/security inside, with the very programs of the package's build."""

from machine import Case
from test_integration import run_inside


class Security(Case):
    def test_all(self):
        """security.md's rows hold on this kernel and this tree of cgroups"""
        run_inside(self, 'security')
    test_all.limit = 1800
