/* Settings in sections, as yum, dnf and zypper write them.
 *
 *   [SECTION]
 *   name = value
 *       a line that begins with a blank goes on with the value before
 *   # a comment, or ; a comment
 */
#pragma once

#include <fenwatch/text.h>

#define INI_NAME 128
#define INI_VALUE ((size_t)64 << 10) /* what is longer is cut there */

/* `section` is "" before the first one. */
typedef void ini_each(const char *section, const char *name, const char *value, void *arg);
void ini_read(struct fw_cursor c, ini_each *each, void *arg);
/* Yes, as these programs take it: 1, yes, true, on. */
bool ini_is_yes(const char *value);
