/* What the system's policy says of locking the screen: GNOME's keyfiles below
 * /etc/dconf/db, and KDE's /etc/xdg/kscreenlockerrc. What a user chose for himself lies
 * in his own folder and is not read. */
#pragma once

#include "source.h"

struct screen_lock {
	bool known, enabled, enforced;
	int64_t idle_s; /* -1: not said */
};

void screen_lock_read(struct machine *m, struct screen_lock *out);
