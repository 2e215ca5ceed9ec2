/* Which operating system this is, for sources that judge by it. */
#pragma once

#include "../source.h"

#define OS_TEXT 128

/* ID and VERSION_ID of os-release, "debian" and "12"; -ENODATA where nothing tells. */
int os_identify(struct machine *m, char id[OS_TEXT], char version[OS_TEXT]);
