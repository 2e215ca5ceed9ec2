/* SPDX-License-Identifier: Apache-2.0 */
#include "screenlock.h"

#include <stdio.h>
#include <string.h>

#include "parse.h"

#define DATABASES "etc/dconf/db"

enum key { ENABLED, IDLE_S, IDLE_MINUTES };

/* As they stand in keyfiles, and as they are locked. */
static const struct {
	const char *group, *key, *lock;
	enum key is;
} keys[] = {
	{"[org/gnome/desktop/screensaver]",
		"lock-enabled=", "/org/gnome/desktop/screensaver/lock-enabled", ENABLED},
	{"[org/gnome/desktop/session]", "idle-delay=", "/org/gnome/desktop/session/idle-delay",
		IDLE_S},
	{"[Daemon]", "Autolock=", NULL, ENABLED},
	{"[Daemon]", "Timeout=", NULL, IDLE_MINUTES},
};

static void take_value(struct screen_lock *lock, enum key key, struct fw_cursor value)
{
	uint64_t number;
	fw_cut_literal(&value, "uint32 ");
	if (key == ENABLED) {
		lock->known = true;
		lock->enabled = fw_cut_literal(&value, "true");
	} else if (fw_cut_u64(&value, &number) && number < UINT32_MAX / 60) {
		lock->idle_s = (int64_t)(key == IDLE_S ? number : number * 60);
	}
}

static void take_line(struct screen_lock *lock, const char *group, const struct fw_cursor *line)
{
	for (size_t i = 0; i < COUNT(keys); i++) {
		struct fw_cursor value = *line;
		size_t length = strlen(keys[i].group);
		if (strncmp(group, keys[i].group, length) != 0 ||
			!fw_cut_literal(&value, keys[i].key))
			continue;
		take_value(lock, keys[i].is, value);
		/* KDE's way to say that a user may not change a group. */
		if (!keys[i].lock && strcmp(group + length, "[$i]") == 0)
			lock->enforced = true;
	}
}

static void read_keyfile(struct machine *m, const char *path, struct screen_lock *lock)
{
	struct fw_cursor c, line;
	char group[128] = "";
	if (machine_read(m, path, &c) < 0)
		return;
	while (fw_cut_line(&c, &line)) {
		if (line.at < line.end && *line.at == '[')
			snprintf(group, sizeof group, "%.*s", (int)(line.end - line.at), line.at);
		else
			take_line(lock, group, &line);
	}
}

static void read_locks(struct machine *m, const char *path, struct screen_lock *lock)
{
	struct fw_cursor c, line;
	if (machine_read(m, path, &c) < 0)
		return;
	while (fw_cut_line(&c, &line))
		if (fw_cut_literal(&line, keys[0].lock))
			lock->enforced = true;
}

struct folder {
	const char *path;
	struct screen_lock *lock;
	void (*read)(struct machine *m, const char *path, struct screen_lock *lock);
};

static int on_file(struct machine *m, const char *name, void *arg)
{
	const struct folder *folder = arg;
	char path[512];
	int length = snprintf(path, sizeof path, "%s/%s", folder->path, name);
	if (length > 0 && (size_t)length < sizeof path)
		folder->read(m, path, folder->lock);
	return 0;
}

/* "local.d", whose keyfiles dconf compiles into "local". */
static int on_database(struct machine *m, const char *name, void *arg)
{
	char path[300], locks[320];
	size_t length = strlen(name);
	if (length < 3 || strcmp(name + length - 2, ".d") != 0)
		return 0;
	snprintf(path, sizeof path, DATABASES "/%.255s", name);
	snprintf(locks, sizeof locks, "%s/locks", path);
	machine_list(m, path, on_file, &(struct folder){path, arg, read_keyfile});
	machine_list(m, locks, on_file, &(struct folder){locks, arg, read_locks});
	return 0;
}

void screen_lock_read(struct machine *m, struct screen_lock *out)
{
	*out = (struct screen_lock){.idle_s = -1};
	machine_list(m, DATABASES, on_database, out);
	read_keyfile(m, "etc/xdg/kscreenlockerrc", out);
}
