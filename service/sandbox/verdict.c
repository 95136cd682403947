#include "service/sandbox/verdict.h"

#include <errno.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* What follows a condition; the jumps of classic BPF go forward alone. */
static bool holds(const struct sock_filter *code, uint32_t a)
{
        switch (BPF_OP(code->code)) {
        case BPF_JEQ:
                return a == code->k;
        case BPF_JGT:
                return a > code->k;
        case BPF_JGE:
                return a >= code->k;
        default:
                return (a & code->k) != 0; /* BPF_JSET */
        }
}

/* The instructions that libseccomp and argument-rules.c use. An unknown one ends the walk, as does
 * the program's end: SECCOMP_RET_ERRNO and EPERM. */
static uint32_t run(const struct sock_fprog *program, const struct seccomp_data *call)
{
        uint32_t a = 0;

        for (size_t pc = 0; pc < program->len; pc++) {
                const struct sock_filter *code = &program->filter[pc];
                if (code->code == (BPF_LD | BPF_W | BPF_ABS) && code->k <= sizeof *call - sizeof a)
                        memcpy(&a, (const char *) call + code->k, sizeof a);
                else if (code->code == (BPF_ALU | BPF_AND | BPF_K))
                        a &= code->k;
                else if (code->code == (BPF_RET | BPF_K))
                        return code->k;
                else if (code->code == (BPF_JMP | BPF_JA))
                        pc += code->k;
                else if (BPF_CLASS(code->code) == BPF_JMP && BPF_SRC(code->code) == BPF_K)
                        pc += holds(code, a) ? code->jt : code->jf;
                else
                        break;
        }
        return SECCOMP_RET_ERRNO | EPERM;
}

int verdict_errno(const SeccompProgram *program, const struct seccomp_data *call)
{
        uint32_t verdict = run(&program->program, call);
        int number = (int) (verdict & SECCOMP_RET_DATA);

        return (verdict & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO && number ? number : EPERM;
}

void verdict_let_ask(struct sock_filter *code, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (code[i].code == (BPF_RET | BPF_K) &&
                    (code[i].k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO &&
                    code[i].k & SECCOMP_RET_DATA) /* "0" is no refusal */
                        code[i].k = SECCOMP_RET_USER_NOTIF;
}

/* libseccomp's by malloc(), which is what g_free() frees. */
char *verdict_call_name(int number)
{
        return seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
}
