/* Wi-Fi stations, as the kernel tells over generic netlink. Reading needs no privilege.
 *
 * A station's attributes hold the address of its access point, too; that one is never
 * looked at.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIFI_DEVICES 16

struct wifi_device {
	char name[16];
	uint32_t index;
	int signal_dbm;
	bool has_signal;
};

struct wifi {
	struct wifi_device devices[WIFI_DEVICES];
	size_t n;
};

/* Asks this machine's kernel. -ENOENT: it has no nl80211. */
int nl80211_read(struct wifi *out);

/* For the reader above and its tests: looks at a datagram of answers. 1: the answer has
 * ended, 0: more is to come, negative: the kernel refused, or the bytes are not whole. */
int nl80211_take_family(const uint8_t *data, size_t length, uint16_t *family);
int nl80211_take_interfaces(const uint8_t *data, size_t length, struct wifi *out);
int nl80211_take_station(const uint8_t *data, size_t length, struct wifi_device *out);
