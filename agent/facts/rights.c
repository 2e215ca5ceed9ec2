/* SPDX-License-Identifier: Apache-2.0 */
#include "rights.h"

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <unistd.h>

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <fenwatch/text.h>

#ifndef PR_CAP_AMBIENT
#define PR_CAP_AMBIENT 47
#define PR_CAP_AMBIENT_IS_SET 1
#define PR_CAP_AMBIENT_RAISE 2
#define PR_CAP_AMBIENT_CLEAR_ALL 4
#endif

#define MOST_CAPABILITIES 64
#define BIT(capability) (UINT64_C(1) << (capability))

/* ---- users ---- */

/* The number in a field of the line that begins with NAME, in /etc/passwd or /etc/group. */
static bool find_numbers(struct machine *m, const char *path, const char *name, int n, gid_t *out)
{
	struct fw_cursor c, line;
	uint64_t number;
	if (machine_read(m, path, &c) < 0)
		return false;
	while (fw_cut_line(&c, &line)) {
		if (!fw_cut_literal(&line, name) || !fw_cut_literal(&line, ":"))
			continue;
		const char *colon = memchr(line.at, ':', (size_t)(line.end - line.at));
		line.at = colon ? colon : line.end;
		int i = 0;
		while (i < n && fw_cut_literal(&line, ":") && fw_cut_u64(&line, &number) &&
			number < UINT32_MAX)
			out[i++] = (gid_t)number;
		if (i == n)
			return true;
	}
	return false;
}

int rights_find_user(
	struct machine *m, const char *name, struct rights_user *out, struct fw_err *err)
{
	gid_t numbers[2];
	if (!find_numbers(m, "etc/passwd", name, 2, numbers))
		return fw_fail(err, -ENOENT, "/etc/passwd has no user '%s'", name);
	*out = (struct rights_user){.uid = numbers[0], .gid = numbers[1]};
	return 0;
}

/* ---- capabilities ---- */

struct sets {
	uint64_t effective, permitted, inheritable;
};

static int get_capabilities(struct sets *out)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	if (syscall(SYS_capget, &head, data) < 0)
		return -errno;
	*out = (struct sets){
		.effective = data[0].effective | (uint64_t)data[1].effective << 32,
		.permitted = data[0].permitted | (uint64_t)data[1].permitted << 32,
		.inheritable = data[0].inheritable | (uint64_t)data[1].inheritable << 32,
	};
	return 0;
}

/* Where there is nothing to change the call need not be allowed. */
static int set_capabilities(const struct sets *now, uint64_t kept, uint64_t handed_on)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	if (now->effective == kept && now->permitted == kept && now->inheritable == handed_on)
		return 0;
	for (int i = 0; i < 2; i++)
		data[i] = (struct __user_cap_data_struct){
			.effective = (uint32_t)(kept >> 32 * i),
			.permitted = (uint32_t)(kept >> 32 * i),
			.inheritable = (uint32_t)(handed_on >> 32 * i),
		};
	return syscall(SYS_capset, &head, data) < 0 ? -errno : 0;
}

static bool has_ambient(void)
{
	return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_SYS_RAWIO, 0, 0) >= 0;
}

/* Who may not lower the bounding set has no need to: nothing he runs gains by it. */
static void bound(uint64_t capabilities)
{
	for (int i = 0; i < MOST_CAPABILITIES; i++)
		if (!(capabilities & BIT(i)))
			prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
}

int rights_keep_only(uint64_t capabilities)
{
	struct sets now;
	int rc = get_capabilities(&now);
	if (rc < 0)
		return rc;
	capabilities &= now.permitted;
	bound(capabilities);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	rc = set_capabilities(&now, capabilities, capabilities);
	for (int i = 0; rc == 0 && i < MOST_CAPABILITIES; i++)
		if (capabilities & BIT(i))
			prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0);
	return rc;
}

/* The group "disk" may open disks, which no capability of ours does. */
static int become(struct machine *m, const struct rights_user *user)
{
	gid_t disk;
	size_t n = find_numbers(m, "etc/group", "disk", 1, &disk);
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || setgroups(n, &disk) < 0 ||
		setgid(user->gid) < 0 || setuid(user->uid) < 0)
		return -errno;
	return 0;
}

int rights_settle(struct machine *m, const struct rights_user *user, uint64_t capabilities,
	struct fw_err *err)
{
	struct sets now;
	uint64_t kept = capabilities;
	bool becomes = user && geteuid() == 0;
	int rc = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 && errno != EINVAL ? -errno : 0;
	if (rc == 0 && becomes && has_ambient())
		rc = become(m, user);
	else if (becomes)
		kept |= BIT(CAP_SETPCAP);
	if (rc == 0)
		rc = get_capabilities(&now);
	if (rc == 0)
		rc = set_capabilities(&now, kept & now.permitted, capabilities & now.permitted);
	return rc < 0 ? fw_fail_sys(err, rc, "capabilities") : 0;
}
