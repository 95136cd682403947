"""Defences of naivec; see defences.py."""

READ = 'cli/lean/wire-read.c'

DEFENCES = [
    ('E70', 'the way past what is no answer', READ,
     'bool is_answer = wire->bytes[1] == WIRE_RETURN || wire->bytes[1] == WIRE_ERROR;', 'bool is_answer = true;',
     'test_e_naivec'),
    ('E70', 'the way past what is too long', READ, 'if (size > sizeof wire->bytes) {', 'if (false) {', 'test_e_naivec'),
]

LASTING = {}
