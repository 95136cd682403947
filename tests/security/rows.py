"""The rows of SECURITY.md that tests/security answers for, and why some of them do not apply to this code."""

ROWS = [f'{letter}{number}' for letter, last in (('A', 17), ('B', 14), ('C', 9), ('D', 13))
        for number in range(1, last + 1)]
ROWS += [f'E{number}' for number in (2, 3, 4, 9, 12, 13, 15, 16, 19, 20, 21, *range(22, 38), *range(40, 48), 49, 51, 52, *range(55, 60), *range(65, 72))]

NOT_APPLICABLE = {}
