/* Which device has which address, from the reader of devices to the receiver of traps.
 *
 * The reader notes where it found a device, whose name may have been resolved, and which addresses
 * the device itself has; it keeps them in a file, ADDRESS \t NAME in the order of both, that is
 * replaced as a whole. The receiver looks an address up there. One that two devices claim is
 * nobody's: a device cannot take another one's traps, only spoil its own. What the file holds
 * beyond ADDRESSES_MOST is left out.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <fenwatch/buf.h>
#include <fenwatch/err.h>

#define ADDRESSES_PATH "/var/lib/fenwatch-snmp/addresses"
#define ADDRESSES_MOST 65536
#define ADDRESSES_OF_ONE 256 /* device */

struct addresses;
struct devices;

struct addresses *addresses_new(void);
void addresses_free(struct addresses *a); /* NULL, too */
/* What the file has of these devices (NULL: of all) instead of what was there, and that it has
 * others is news; without a file nothing changes. */
int addresses_load(
	struct addresses *a, const char *path, const struct devices *devices, struct fw_err *err);
int addresses_save(struct addresses *a, const char *path, struct fw_err *err);
/* Something is known that was not saved. */
bool addresses_are_news(const struct addresses *a);

/* Of devices that are none of these nothing is known any more. */
void addresses_keep(struct addresses *a, const struct devices *devices);
/* The device was found there; "": nowhere. */
void addresses_note(struct addresses *a, const char *name, const char *address);
/* All that it has now: where it was found, and its own by its table of kind `device`. */
void addresses_take(
	struct addresses *a, const char *name, const char *found_at, const struct fw_buf *lines);
/* Whose it is; NULL: nobody's, or that of several. */
const char *addresses_find(const struct addresses *a, const char *address);
