#pragma once

/* What libFuzzer, or tests/fuzz/replay.c, calls for each input. Returns 0; aborts when a promise is
 * broken. */

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
