#include "service/sandbox/verdict.h"

#include <errno.h>
#include <linux/audit.h>
#include <sys/syscall.h>

#include "tests/lib/case.h"

#define PROGRAM(...)                                                                               \
        &(SeccompProgram)                                                                          \
        {                                                                                          \
                {                                                                                  \
                        G_N_ELEMENTS(((struct sock_filter[]){__VA_ARGS__})),                       \
                                (struct sock_filter[])                                             \
                        {                                                                          \
                                __VA_ARGS__                                                        \
                        }                                                                          \
                }                                                                                  \
        }
#define LOAD(offset)    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (offset))
#define NUMBER          LOAD(offsetof(struct seccomp_data, nr))
#define REFUSE(error)   BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error))
#define ALLOW           BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define IF(op, k, t, f) BPF_JUMP(BPF_JMP | (op) | BPF_K, (k), (t), (f))

static int verdict(const SeccompProgram *program, int number, uint64_t argument)
{
        const struct seccomp_data call = {.nr = number, .args = {argument}};

        return verdict_errno(program, &call);
}

/* Each condition leads where the kernel's would. */
TEST(conditions)
{
        static const struct {
                uint16_t op;
                int below, equal, above; /* errors for 6, 7 and 8, where the program has a 7 */
        } rows[] = {
                {BPF_JEQ, 2, 1, 2}, {BPF_JGT, 2, 2, 1}, {BPF_JGE, 2, 1, 1}, {BPF_JSET, 1, 1, 2}};

        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
                const SeccompProgram *program =
                        PROGRAM(NUMBER, IF(rows[i].op, 7, 1, 0), REFUSE(2), REFUSE(1));
                g_assert_cmpint(verdict(program, 6, 0), ==, rows[i].below);
                g_assert_cmpint(verdict(program, 7, 0), ==, rows[i].equal);
                g_assert_cmpint(verdict(program, 8, 0), ==, rows[i].above);
        }
}

/* Arguments are looked at as well, masked and after a jump. */
TEST(arguments)
{
        const SeccompProgram *program = PROGRAM(BPF_STMT(BPF_JMP | BPF_JA, 1), REFUSE(9),
                                                LOAD(offsetof(struct seccomp_data, args)),
                                                BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xf0),
                                                IF(BPF_JEQ, 0x30, 0, 1), REFUSE(3), REFUSE(4));

        g_assert_cmpint(verdict(program, 0, 0x35), ==, 3);
        g_assert_cmpint(verdict(program, 0, 0x45), ==, 4);
}

/* Whatever a program does not say is refused: an instruction that is not known, what lies beyond
 * its end or the call's, and what it lets pass. */
TEST(in_doubt)
{
        g_assert_cmpint(verdict(PROGRAM(BPF_STMT(BPF_LD | BPF_IMM, 1), REFUSE(7)), 0, 0), ==,
                        EPERM);
        g_assert_cmpint(verdict(PROGRAM(BPF_STMT(BPF_JMP | BPF_JA, 5), REFUSE(7)), 0, 0), ==,
                        EPERM);
        g_assert_cmpint(verdict(PROGRAM(LOAD(sizeof(struct seccomp_data)), REFUSE(7)), 0, 0), ==,
                        EPERM);
        g_assert_cmpint(verdict(PROGRAM(NUMBER), 0, 0), ==, EPERM);
        g_assert_cmpint(verdict(PROGRAM(ALLOW), 0, 0), ==, EPERM);
        g_assert_cmpint(verdict(PROGRAM(REFUSE(0)), 0, 0), ==, EPERM);
}

/* The service's own filter can be walked, and only what it refuses is asked about. */
TEST(own_filter)
{
        SeccompProgram *program;
        g_autoptr(GError) error = NULL;
        struct seccomp_data call = {.nr = SYS_mount, .arch = AUDIT_ARCH_X86_64};
        unsigned asks = 0, rest = 0;

#if defined(__aarch64__)
        call.arch = AUDIT_ARCH_AARCH64;
#elif !defined(__x86_64__)
        g_test_skip("no AUDIT_ARCH of this architecture is known here");
        return;
#endif
        seccomp_program_new(SECCOMP_SET_ID_ALLOWED, 0, &program, &error);
        g_assert_no_error(error);
        g_assert_cmpint(verdict_errno(program, &call), ==, EPERM);
        call.nr = 9999;
        g_assert_cmpint(verdict_errno(program, &call), ==, ENOSYS);
        verdict_let_ask(program->program.filter, program->program.len);
        for (unsigned i = 0; i < program->program.len; i++) {
                const struct sock_filter *code = &program->program.filter[i];
                if (code->code != (BPF_RET | BPF_K))
                        continue;
                /* what is ignored, with errno 0, is no refusal */
                if ((code->k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO)
                        g_assert_cmpuint(code->k & SECCOMP_RET_DATA, ==, 0);
                asks += code->k == SECCOMP_RET_USER_NOTIF;
                rest += code->k == SECCOMP_RET_ALLOW || code->k == SECCOMP_RET_KILL_PROCESS;
        }
        g_assert_cmpuint(asks, >, 1);
        g_assert_cmpuint(rest, >, 1);
        seccomp_program_free(program);
}

/* Calls have names, and other numbers none. */
TEST(names)
{
        g_autofree char *name = verdict_call_name(SYS_mount), *none = verdict_call_name(9999);

        g_assert_cmpstr(name, ==, "mount");
        g_assert_null(none);
}
