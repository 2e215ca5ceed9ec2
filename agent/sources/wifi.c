/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

#include <errno.h>

#include "nl80211.h"

static const struct metric metrics[] = {
	{"node_wifi_station_signal_dbm", FW_GAUGE, "",
		"The current WiFi signal strength, in decibel-milliwatts (dBm).", 0, 1},
};

static void add_signal(struct sweep *out, const char *device, int64_t signal_dbm)
{
	sweep_add(out, &metrics[0], signal_dbm, SWEEP_LABELS("device", device));
}

/* "wlp2s0: 0000   56.  -54.  -256        0      0 ...", for kernels and drivers without
 * nl80211. */
static int read_wireless(struct machine *m, struct sweep *out, struct fw_err *err)
{
	struct fw_cursor c, line;
	const char *word;
	size_t length;
	int64_t signal_dbm;
	int rc = read_facts(m, "proc/net/wireless", &c, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; fw_cut_line(&c, &line); i++) {
		char device[NAME_BYTES];
		if (i >= 2 && cut_name(&line, ':', device, sizeof device) &&
			fw_cut_word(&line, &word, &length) && fw_cut_word(&line, &word, &length) &&
			fw_cut_i64(&line, &signal_dbm) && signal_dbm < 0)
			add_signal(out, device, signal_dbm);
	}
	return 0;
}

static int read_wifi(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	(void)state;
	struct wifi wifi;
	if (m->recorded || nl80211_read(&wifi) < 0)
		return read_wireless(m, out, err);
	for (size_t i = 0; i < wifi.n; i++)
		if (wifi.devices[i].has_signal)
			add_signal(out, wifi.devices[i].name, wifi.devices[i].signal_dbm);
	return wifi.n ? 0 : fw_fail(err, -ENODATA, "this machine has no wireless network card");
}

const struct source source_wifi = {
	.name = "wifi",
	.help = "How strong the signal of the wireless network is; never its name or address.",
	.purpose = "Whether a slow laptop is only too far from its access point.",
	.reads = "the kernel (nl80211), or /proc/net/wireless",
	.slow = true,
	.every_s = 60,
	.timeout_s = 20,
	.metrics = metrics,
	.n_metrics = COUNT(metrics),
	.read = read_wifi,
};
