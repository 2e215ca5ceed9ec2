/* What the files of this folder share: a kind of entry is a file with these two. */
#pragma once

#include "register.h"

/* An option's parse: adds what one file lists to the struct register_licences. */
int register_parse_licences(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err);
/* Once `file` is read: where those from `first` on stand, and that their names are new. */
int register_check_licences(
	struct register_licences *licences, size_t first, const char *file, struct fw_err *err);

/* The same for the struct register_hosts *, which is made with its first row. */
int register_parse_hosts(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err);
void register_place_hosts(struct register_hosts *hosts, const char *file);
/* Once every file is read. */
int register_check_hosts(struct register_hosts *hosts, struct fw_err *err);
