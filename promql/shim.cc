// SPDX-License-Identifier: Apache-2.0
#include "shim.h"

#include <cstdio>
#include <new>

#include <double-conversion/double-conversion.h>
#include <re2/re2.h>

struct shim_regex {
	re2::RE2 compiled;
	shim_regex(const char *pattern, const re2::RE2::Options &options) : compiled(pattern, options)
	{
	}
};

shim_regex *shim_regex_new(const char *pattern, char *why, size_t size)
{
	re2::RE2::Options options;
	options.set_log_errors(false);
	options.set_dot_nl(true);
	shim_regex *regex = new (std::nothrow) shim_regex(pattern, options);
	if (regex && regex->compiled.ok())
		return regex;
	snprintf(why, size, "%s", regex ? regex->compiled.error().c_str() : "out of memory");
	delete regex;
	return nullptr;
}

void shim_regex_free(shim_regex *regex)
{
	delete regex;
}

bool shim_regex_matches(const shim_regex *regex, const char *text)
{
	return re2::RE2::FullMatch(text, regex->compiled);
}

int shim_shortest(double value, char digits[SHIM_DIGITS], int *point)
{
	using double_conversion::DoubleToStringConverter;
	bool negative;
	int length;
	DoubleToStringConverter::DoubleToAscii(value, DoubleToStringConverter::SHORTEST, 0, digits,
		SHIM_DIGITS, &negative, &length, point);
	return length;
}
