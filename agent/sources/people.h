/* Names of people that stand in names of other things. On a person's own machine they are
 * taken out before anything becomes a label; on a server the names stay as they are. */
#pragma once

#include "source.h"

/* What lies below /home, /media, /run/media and /run/user, or any other folder called home,
 * is all one there: a star. Returns `path` or `out`. */
const char *people_free_path(const struct machine *m, const char *path, char *out, size_t size);
/* What is mounted: shares, datasets, folders and labels of disks bear names of people, files
 * of /dev and words like "tmpfs" do not. "//nas/alice$" -> "*"; of "rpool/home/alice" the pool is left. */
const char *people_free_device(const struct machine *m, const char *device, char *out, size_t size);
/* "syncthing@alice.service" -> "syncthing@*.service"; consoles ("getty@tty1") stay. */
const char *people_free_unit(const struct machine *m, const char *unit, char *out, size_t size);
