"""tests/security inside, with the very programs of the package's build."""

from machine import Case
from test_integration import NO_LIMIT, classes_without, run_inside


class Security(Case):
    def test_all(self):
        """SECURITY.md's rows hold on this kernel and this tree of cgroups"""
        # Not what has to be tried thousands of times: that is for a machine which is not emulated.
        run_inside(self, 'security', *classes_without('Races', 'security'))
    test_all.limit = NO_LIMIT
