/* SPDX-License-Identifier: Apache-2.0 */
#include "mounts.h"

#include <errno.h>
#include <string.h>

static bool is_octal(const char *text, const char *end)
{
	if (end - text < 3)
		return false;
	for (int i = 0; i < 3; i++)
		if (text[i] < '0' || text[i] > '7')
			return false;
	return true;
}

bool mount_cut_path(struct fw_cursor *line, char *out, size_t size)
{
	const char *at;
	size_t length, n = 0;
	if (!fw_cut_word(line, &at, &length) || length >= size)
		return false;
	const char *end = at + length;
	while (at < end) {
		if (*at == '\\' && is_octal(at + 1, end)) {
			out[n++] = (char)((at[1] - '0') << 6 | (at[2] - '0') << 3 | (at[3] - '0'));
			at += 4;
		} else {
			out[n++] = *at++;
		}
	}
	out[n] = '\0';
	return true;
}

/* Whether a list like "rw,noatime,errors=remount-ro" has this option. */
static bool has_option(const char *options, size_t length, const char *option)
{
	const char *end = options + length;
	size_t wanted = strlen(option);
	while (options < end) {
		const char *comma = memchr(options, ',', (size_t)(end - options));
		size_t n = (size_t)((comma ? comma : end) - options);
		if (n == wanted && memcmp(options, option, n) == 0)
			return true;
		options += n + 1;
	}
	return false;
}

/* "36 35 98:0 /root /mountpoint rw,noatime master:1 - ext3 /dev/root rw,errors=continue" */
bool mount_cut(struct fw_cursor *line, struct mount *out)
{
	uint64_t id, parent;
	const char *word;
	size_t length;
	if (!fw_cut_u64(line, &id) || !fw_cut_u64(line, &parent) ||
		!fw_cut_u64(line, &out->major) || !fw_cut_literal(line, ":") ||
		!fw_cut_u64(line, &out->minor) || !fw_cut_word(line, &word, &length) ||
		!mount_cut_path(line, out->mountpoint, sizeof out->mountpoint) ||
		!fw_cut_word(line, &word, &length))
		return false;
	bool mount = has_option(word, length, "ro");
	do {
		if (!fw_cut_word(line, &word, &length))
			return false;
	} while (length != 1 || *word != '-');
	if (!cut_name(line, ' ', out->type, sizeof out->type) ||
		!mount_cut_path(line, out->device, sizeof out->device))
		return false;
	bool filesystem = fw_cut_word(line, &word, &length) && has_option(word, length, "ro");
	out->readonly = mount || filesystem;
	out->forced = filesystem && !mount;
	return true;
}

bool mount_is_distant(const struct mount *mount)
{
	static const char *const types[] = {"9p", "afs", "autofs", "ceph", "cifs", "coda", "fuse",
		"gfs2", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "smb3", "smbfs"};
	for (size_t i = 0; i < COUNT(types); i++)
		if (strcmp(types[i], mount->type) == 0)
			return true;
	return strncmp(mount->type, "fuse.", strlen("fuse.")) == 0;
}

static bool lies_on(const char *path, const char *mountpoint)
{
	size_t length = strlen(mountpoint);
	while (length > 0 && mountpoint[length - 1] == '/')
		length--;
	return strncmp(path, mountpoint, length) == 0 &&
		(path[length] == '/' || path[length] == '\0');
}

int mount_find(struct machine *m, const char *path, struct mount *out)
{
	struct fw_cursor c, line;
	struct mount mount;
	size_t longest = 0;
	int rc = machine_read(m, "proc/self/mountinfo", &c);
	while (rc == 0 && fw_cut_line(&c, &line)) {
		if (!mount_cut(&line, &mount) || !lies_on(path, mount.mountpoint) ||
			strlen(mount.mountpoint) < longest)
			continue;
		longest = strlen(mount.mountpoint);
		*out = mount; /* of two at one place the later one is seen */
	}
	return rc < 0 ? rc : longest ? 0 : -ENOENT;
}

static bool is_word(const char *word, size_t length, const char *text)
{
	return length == strlen(text) && memcmp(word, text, length) == 0;
}

/* "/srv/" is mounted as "/srv", and /var/run is a link to /run where there is one at all. */
static void tidy(char *path)
{
	size_t length = strlen(path);
	while (length > 1 && path[length - 1] == '/')
		path[--length] = '\0';
	if (strncmp(path, "/var/run/", 9) == 0)
		memmove(path, path + 4, length - 3);
}

bool fstab_cut(struct fw_cursor *line, struct fstab_line *out)
{
	char device[PATH_BYTES];
	const char *type, *options = "";
	size_t type_length, length = 0;
	fw_skip_blanks(line);
	if (line->at == line->end || *line->at == '#' ||
		!mount_cut_path(line, device, sizeof device) ||
		!mount_cut_path(line, out->mountpoint, sizeof out->mountpoint) ||
		!fw_cut_word(line, &type, &type_length) || out->mountpoint[0] != '/' ||
		is_word(type, type_length, "swap") || is_word(type, type_length, "ignore"))
		return false;
	if (!fw_cut_word(line, &options, &length))
		length = 0;
	bool automount = has_option(options, length, "x-systemd.automount") ||
		has_option(options, length, "comment=systemd.automount");
	out->readonly = has_option(options, length, "ro");
	out->wanted = automount || !has_option(options, length, "noauto");
	tidy(out->mountpoint);
	return true;
}

/* FNV-1a. */
uint64_t mount_place(const char *mountpoint)
{
	uint64_t hash = 14695981039346656037ull;
	for (; *mountpoint; mountpoint++)
		hash = (hash ^ (uint8_t)*mountpoint) * 1099511628211ull;
	return hash;
}
