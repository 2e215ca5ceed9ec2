/* What hosts of tests send of their patches. */
#pragma once

#include <stdint.h>

#include <fenwatch/mem.h>

struct inventory;

#define OS "+os\tid=debian\tversion=12\n"
#define OPENSSL "+openssl:amd64\tinstalled=3.0.11-1\tcandidate=3.0.15-1\tsource=openssl"
#define CURL "+curl:amd64\tinstalled=7.1-1\tcandidate=7.1-2\tsource=curl"

/* A whole table of Debian 12 with these fixes, its lists fetched an hour before `at_s`. */
const char *sent_table(struct fw_arena *arena, int64_t at_s, const char *fixes);
/* The inventory takes it as all that the host has from then on. `seq` ascends. */
void sent_take(
	struct inventory *inventory, uint32_t host, uint64_t seq, int64_t at_s, const char *text);
