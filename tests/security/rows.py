"""The rows of SECURITY.md that tests/security answers for, and why some of them do not apply to this code."""

ROWS = [f'{letter}{number}' for letter, last in (('A', 17), ('B', 14), ('C', 9), ('D', 13))
        for number in range(1, last + 1)] + ['E15', 'E24', 'E25', 'E26', 'E27', 'E28', 'E29', 'E30', 'E31', 'E32', 'E33', 'E35']

NOT_APPLICABLE = {}
ROWS += ['E12', 'E34']
