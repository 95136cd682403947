/* Devices in v2: a program that the kernel asks at each open and each mknod. Written by hand, for
 * it is a dozen instructions, and a library for them would be larger than all of this. */

#include <errno.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/oci/cgroup/devices.h"
#include "service/spec/error.h"
#include "service/util/fd.h"

/* r2: the type, r3: the access, r4 and r5: the numbers; r6 is for sums. */
static void emit(GArray *code, uint8_t op, unsigned registers, int16_t jump, int32_t value)
{
        const struct bpf_insn instruction = {
                .code = op,
                .dst_reg = registers & 15,
                .src_reg = registers >> 4 & 15,
                .off = jump,
                .imm = value,
        };

        g_array_append_val(code, instruction);
}

static void load_request(GArray *code)
{
        emit(code, BPF_LDX | BPF_MEM | BPF_W, 0x12,
             offsetof(struct bpf_cgroup_dev_ctx, access_type), 0);
        emit(code, BPF_ALU64 | BPF_MOV | BPF_X, 0x23, 0, 0);
        emit(code, BPF_ALU64 | BPF_AND | BPF_K, 0x2, 0, 0xffff);
        emit(code, BPF_ALU64 | BPF_RSH | BPF_K, 0x3, 0, 16);
        emit(code, BPF_LDX | BPF_MEM | BPF_W, 0x14, offsetof(struct bpf_cgroup_dev_ctx, major), 0);
        emit(code, BPF_LDX | BPF_MEM | BPF_W, 0x15, offsetof(struct bpf_cgroup_dev_ctx, minor), 0);
}

/* A jump that is taken leads behind the exception: its way is known once that is written. */
static void emit_check(GArray *code, uint8_t op, unsigned registers, int32_t value)
{
        emit(code, op, registers, -1, value);
}

static void land_jumps(GArray *code, guint begin)
{
        for (guint i = begin; i < code->len; i++) {
                struct bpf_insn *instruction = &g_array_index(code, struct bpf_insn, i);
                if (instruction->off == -1)
                        instruction->off = (int16_t) (code->len - i - 1);
        }
}

/* What is allowed must be all that was asked for; what is refused may be a part of it. */
static void add_exception(GArray *code, const DeviceException *device, bool allows)
{
        guint begin = code->len;

        emit_check(code, BPF_JMP | BPF_JNE | BPF_K, 0x2,
                   device->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
        if (device->major != DEVICE_ANY)
                emit_check(code, BPF_JMP | BPF_JNE | BPF_K, 0x4, (int32_t) device->major);
        if (device->minor != DEVICE_ANY)
                emit_check(code, BPF_JMP | BPF_JNE | BPF_K, 0x5, (int32_t) device->minor);
        emit(code, BPF_ALU64 | BPF_MOV | BPF_X, 0x36, 0, 0);
        emit(code, BPF_ALU64 | BPF_AND | BPF_K, 0x6, 0, (int32_t) device->access);
        if (allows)
                emit_check(code, BPF_JMP | BPF_JEQ | BPF_K, 0x6, 0);
        else
                emit_check(code, BPF_JMP | BPF_JNE | BPF_X, 0x36, 0);
        emit(code, BPF_ALU64 | BPF_MOV | BPF_K, 0x0, 0, !allows);
        emit(code, BPF_JMP | BPF_EXIT, 0, 0, 0);
        land_jumps(code, begin);
}

static GArray *compile(const DeviceRules *rules)
{
        GArray *code = g_array_new(FALSE, FALSE, sizeof(struct bpf_insn));

        load_request(code);
        for (guint i = 0; i < rules->exceptions->len; i++)
                add_exception(code, &g_array_index(rules->exceptions, DeviceException, i),
                              rules->allows);
        emit(code, BPF_ALU64 | BPF_MOV | BPF_K, 0x0, 0, rules->allows);
        emit(code, BPF_JMP | BPF_EXIT, 0, 0, 0);
        return code;
}

static int bpf(int command, union bpf_attr *attributes)
{
        return (int) syscall(SYS_bpf, command, attributes, sizeof *attributes);
}

static uint64_t address(const void *pointer)
{
        return (uint64_t) (uintptr_t) pointer;
}

bool device_rules_attach(const DeviceRules *rules, int dirfd, GError **error)
{
        g_autoptr(GArray) code = compile(rules);
        union bpf_attr load, attach;

        memset(&load, 0, sizeof load);
        load.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
        load.insns = address(code->data);
        load.insn_cnt = code->len;
        load.license = address("LGPL");
        autofd int program = bpf(BPF_PROG_LOAD, &load);
        if (program < 0)
                return error_set_errno(error, RUNTIME_ERROR_CGROUP_FAILED, errno,
                                       "linux.resources.devices: the kernel does not take the "
                                       "program");
        memset(&attach, 0, sizeof attach);
        attach.target_fd = (uint32_t) dirfd;
        attach.attach_bpf_fd = (uint32_t) program;
        attach.attach_type = BPF_CGROUP_DEVICE;
        attach.attach_flags = BPF_F_ALLOW_MULTI;
        return bpf(BPF_PROG_ATTACH, &attach) == 0 ||
               error_set_errno(error, RUNTIME_ERROR_CGROUP_FAILED, errno,
                               "linux.resources.devices: cannot attach the program to the cgroup");
}
