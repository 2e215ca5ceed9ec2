/* SPDX-License-Identifier: Apache-2.0 */
#include "damage.h"

#include <stdarg.h>
#include <stdio.h>

void damage_found(struct damage *damage, uint64_t n, const char *format, ...)
{
	char sentence[256];
	va_list args;
	va_start(args, format);
	vsnprintf(sentence, sizeof sentence, format, args);
	va_end(args);
	damage->n += n;
	if (n > 0 && damage->on_damage)
		damage->on_damage(sentence, damage->arg);
}
