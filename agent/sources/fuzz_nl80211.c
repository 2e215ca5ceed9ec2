/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of generic netlink about Wi-Fi, to each of the three questions. */
#include "nl80211.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wifi wifi = {.n = 0};
	struct wifi_device device = {.name = ""};
	uint16_t family = 0;
	nl80211_take_family(data, size, &family);
	nl80211_take_interfaces(data, size, &wifi);
	nl80211_take_station(data, size, &device);
	return 0;
}
