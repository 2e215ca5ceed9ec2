/* The collector about itself: what ails it is an alert as of any host, without a host.
 *
 * Once a minute it is looked at whether the ring reaches as far back as it should, whether
 * samples were refused or rules evaluated late since, whether each live feed takes notices
 * (one that fails for five minutes does not, nor one that has dead letters), and how long
 * certificates last. What has grown is an alert for 15 minutes, what is so for as long as it
 * is. Main thread.
 */
#pragma once

#include <stdint.h>

struct alerts;
struct enrol;
struct health;
struct remote;
struct schedule;
struct store;

struct health_config {
	struct store *store;
	struct remote *remote;
	struct schedule *schedule;
	struct enrol *enrol;
	struct alerts *alerts;
};

struct health *health_new(const struct health_config *config);
/* `certificate_ms`: when the certificate ends that the API shows; 0: it shows none. */
void health_look(struct health *health, int64_t certificate_ms, int64_t now_ms);
void health_free(struct health *health); /* NULL, too */
