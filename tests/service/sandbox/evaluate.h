#pragma once

/* What a filter says of a call, told by a small interpreter of its BPF, for what cannot be tried:
 * it would block or end the process. Knows the instructions that our filters have. For
 * test-seccomp.c, whose sweep holds it against the kernel, and test-podman-default.c. */

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "service/sandbox/seccomp.h"

static uint32_t evaluate(const SeccompProgram *filter, const struct seccomp_data *data)
{
        const struct sock_filter *code = filter->program.filter;
        uint32_t a = 0;

        for (size_t pc = 0; pc < filter->program.len; pc++) {
                uint32_t k = code[pc].k;
                bool jump = false;

                switch (code[pc].code) {
                case BPF_LD | BPF_W | BPF_ABS:
                        g_assert_cmpuint(k, <=, sizeof *data - sizeof a);
                        memcpy(&a, (const char *) data + k, sizeof a);
                        continue;
                case BPF_ALU | BPF_AND | BPF_K:
                        a &= k;
                        continue;
                case BPF_RET | BPF_K:
                        return k;
                case BPF_JMP | BPF_JA:
                        pc += k;
                        continue;
                case BPF_JMP | BPF_JEQ | BPF_K:
                        jump = a == k;
                        break;
                case BPF_JMP | BPF_JGT | BPF_K:
                        jump = a > k;
                        break;
                case BPF_JMP | BPF_JGE | BPF_K:
                        jump = a >= k;
                        break;
                case BPF_JMP | BPF_JSET | BPF_K:
                        jump = (a & k) != 0;
                        break;
                default:
                        g_error("instruction 0x%x is not interpreted", code[pc].code);
                }
                pc += jump ? code[pc].jt : code[pc].jf;
        }
        g_assert_not_reached();
}
