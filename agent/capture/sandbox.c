/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stddef.h>
#include <unistd.h>

#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <fenwatch/file.h>

#if defined(__x86_64__)
#define OWN_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OWN_ARCH AUDIT_ARCH_AARCH64
#elif defined(__i386__)
#define OWN_ARCH AUDIT_ARCH_I386
#else
#error "sandbox.c does not know this processor's system calls"
#endif

#define AGENT_GROUP "fenwatch"

#define LOAD(member) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, member))
#define REFUSE BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)
#define REFUSE_CALL(name) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 1), REFUSE

/* The unit's own filter is wider shut; this one holds wherever the program runs. */
static struct sock_filter program[] = {
	LOAD(arch),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OWN_ARCH, 1, 0),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL),
	LOAD(nr),
#ifdef __x86_64__
	BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1), /* the other way to number them */
	REFUSE,
#endif
	REFUSE_CALL(execve),
	REFUSE_CALL(execveat),
	REFUSE_CALL(ptrace),
	REFUSE_CALL(process_vm_readv),
	REFUSE_CALL(process_vm_writev),
	REFUSE_CALL(bpf),
	REFUSE_CALL(mount),
	REFUSE_CALL(unshare),
	REFUSE_CALL(setns),
	REFUSE_CALL(init_module),
	REFUSE_CALL(finit_module),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3),
	LOAD(args[0]),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_UNIX, 1, 0),
	REFUSE,
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};

/* ---- whom root becomes ---- */

/* The group that may write to the agent's socket, as the unit names it; else the user's own. */
static gid_t group_of(const struct passwd *user)
{
	char room[4096];
	struct group group, *found = NULL;
	int rc = getgrnam_r(AGENT_GROUP, &group, room, sizeof room, &found);
	return rc == 0 && found ? found->gr_gid : user->pw_gid;
}

int sandbox_find_user(struct sandbox_user *out, const char *name, struct fw_err *err)
{
	char room[4096];
	struct passwd user, *found = NULL;
	*out = (struct sandbox_user){.becomes = geteuid() == 0};
	if (!out->becomes)
		return 0;
	int rc = getpwnam_r(name, &user, room, sizeof room, &found);
	if (rc != 0 || !found)
		return fw_fail(err, -EINVAL,
			"root does not run this, and there is no user '%.64s' to become", name);
	if (found->pw_uid == 0)
		return fw_fail(err, -EINVAL, "root does not run this: 'user' must be another");
	out->uid = found->pw_uid;
	out->gid = group_of(found);
	return 0;
}

int sandbox_act_as(const struct sandbox_user *who, struct fw_err *err)
{
	if (!who->becomes)
		return 0;
	if (setegid(who->gid) < 0 || seteuid(who->uid) < 0)
		return fw_fail_sys(err, -errno, "acting as another user than root");
	return 0;
}

int sandbox_act_as_root(const struct sandbox_user *who, struct fw_err *err)
{
	if (!who->becomes)
		return 0;
	if (seteuid(0) < 0 || setegid(0) < 0)
		return fw_fail_sys(err, -errno, "acting as root again");
	return 0;
}

/* ---- what is given up ---- */

static void drop_bounds(void)
{
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	for (int i = 0; i <= CAP_LAST_CAP; i++)
		prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {0};
	return syscall(SYS_capset, &head, none) < 0 ? -errno : 0;
}

/* Without core files: what waits in the kernel's buffer is mapped into this process. The
 * kernel allows them anew where the user changes, so they are forbidden after that. */
int sandbox_enter(const struct sandbox_user *who, struct fw_err *err)
{
	const struct sock_fprog filter = {
		.len = sizeof program / sizeof *program, .filter = program};
	drop_bounds();
	int rc = who && who->becomes ? fw_become(who->uid, who->gid) : 0;
	if (rc < 0)
		return fw_fail_sys(err, rc, "becoming another user than root");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return fw_fail_sys(err, -errno, "privileges");
	rc = drop_capabilities();
	if (rc < 0)
		return fw_fail_sys(err, rc, "capabilities");
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) < 0)
		return fw_fail_sys(err, -errno, "the filter of system calls");
	return 0;
}
