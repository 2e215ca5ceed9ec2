/* What apt would upgrade, worked out from its files without running it.
 *
 * First the installed packages from dpkg's status, then each list of packages
 * that apt has fetched. A list stands for an archive: its Release file says
 * where it is from, whether it is for security, and whether its packages are
 * taken by themselves (500), only by those who have one of them already (100:
 * backports), or not at all (1). As apt does, the version of the highest
 * priority wins, then the highest version, and never one below what is
 * installed. Preferences are followed as far as aptpins.h says.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fenwatch/err.h>

#include "../source.h"
#include "deb822.h"

#define APT_PACKAGES_LIMIT 65536
#define APT_ORIGINS_LIMIT 64
#define APT_TEXT 128
#define APT_ORIGIN_TEXT (3 * APT_TEXT)

/* One archive for one architecture, as far as it counts. */
struct apt_origin {
	char text[APT_ORIGIN_TEXT]; /* "Debian:bookworm-security/stable-security" */
	char arch[32];
	int64_t date_s;     /* of its Release file; 0: it has none */
	bool security;      /* it is an archive for security */
	uint32_t installed; /* packages whose installed version is from here */
	uint32_t pending;   /* upgrades that apt would make from here */
};

/* Debian and Ubuntu keep an archive for security: what comes from their others is for
 * something else. Of an archive whose origin has no such archive in the lists nobody
 * can say what an update is for. */
enum apt_class { APT_SECURITY, APT_BUGFIX, APT_UNKNOWN, APT_CLASSES };
extern const char *const apt_classes[APT_CLASSES];

struct apt_summary {
	uint32_t pending[APT_CLASSES]; /* what is held counts as well */
	uint32_t security_upgrades;    /* without what is held */
	uint32_t held;                 /* upgrades that are held back */
	uint32_t obsolete;             /* installed, and in no list */
	bool lacks_security;           /* no list is of an archive for security */
	int64_t dated_s;               /* when the newest of them was made; 0: not known */
	uint32_t n_origins;
	struct apt_origin origins[APT_ORIGINS_LIMIT];
};

/* An archive, as its Release file describes it. */
struct apt_archive {
	char origin[APT_TEXT], label[APT_TEXT], suite[APT_TEXT], codename[APT_TEXT];
	bool not_automatic, but_automatic_upgrades;
	int64_t date_s; /* when it was made; 0: it does not say */
};

/* A version that apt has for a package, above the installed one. */
struct apt_fix {
	const char *name, *arch, *source, *installed, *candidate;
	const struct apt_origin *origin;
	enum apt_class class;
	bool held;   /* by dpkg, or preferences for this package keep a fix for security away */
	bool phased; /* it waits for this machine's turn */
};

struct apt;

struct apt *apt_new(void);
void apt_free(struct apt *a);
/* Whose turn it is in a phased update; before any list is read. */
void apt_set_machine_id(struct apt *a, const char *id);
/* 1: it is not whole; what could be read counts. */
int apt_read_status(struct apt *a, int fd, struct fw_err *err);
int apt_read_release(int fd, struct apt_archive *out);
/* "Debian:bookworm-security/stable-security" */
void apt_name_archive(const struct apt_archive *archive, char out[APT_ORIGIN_TEXT]);
void apt_read_preferences(struct apt *a, int fd);
/* `packed_as`: its name, which tells how it is packed (unpack.h). */
int apt_read_list(struct apt *a, int fd, const char *packed_as, const struct apt_archive *archive,
	struct fw_err *err);
void apt_summarise(const struct apt *a, struct apt_summary *out);
/* Items NAME:ARCHITECTURE with version, source (where it is another than the name)
 * and the origin of what is installed. */
void apt_inventory(const struct apt *a, struct document *out);
void apt_fixes(const struct apt *a, void (*each)(const struct apt_fix *fix, void *arg), void *arg);
/* The installed version, or NULL. */
const char *apt_native(const struct apt *a); /* the architecture that dpkg is of */
const char *apt_installed(const struct apt *a, const char *name, const char *arch);

/* The kernel that the next start will run, where it is another than the running one. */
struct apt_kernel {
	const char *package, *arch, *version;
};

/* True when a kernel newer than `release`, of its flavour, is installed beside it, or
 * when its own package is newer than the `build` that runs (/proc/sys/kernel/version). */
bool apt_has_newer_kernel(
	const struct apt *a, const char *release, const char *build, struct apt_kernel *out);
