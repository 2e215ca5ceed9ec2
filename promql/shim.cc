// SPDX-License-Identifier: Apache-2.0
#include "shim.h"

#include <cstdio>
#include <cstring>
#include <new>
#include <string>

#include <re2/re2.h>

using re2::RE2;

struct shim_regex {
	re2::RE2 compiled;
	shim_regex(const char *pattern, const re2::RE2::Options &options)
	    : compiled(pattern, options)
	{
	}
};

// The library's codes in the words of Go's regular expressions, which Prometheus answers with.
static const char *sentence(RE2::ErrorCode code)
{
	switch (code) {
	case RE2::ErrorBadEscape:
		return "invalid escape sequence";
	case RE2::ErrorBadCharClass:
		return "invalid character class";
	case RE2::ErrorBadCharRange:
		return "invalid character class range";
	case RE2::ErrorMissingBracket:
		return "missing closing ]";
	case RE2::ErrorMissingParen:
		return "missing closing )";
	case RE2::ErrorUnexpectedParen:
		return "unexpected )";
	case RE2::ErrorTrailingBackslash:
		return "trailing backslash at end of expression";
	case RE2::ErrorRepeatArgument:
		return "missing argument to repetition operator";
	case RE2::ErrorRepeatSize:
		return "invalid repeat count";
	case RE2::ErrorRepeatOp:
		return "invalid nested repetition operator";
	case RE2::ErrorBadPerlOp:
		return "invalid or unsupported Perl syntax";
	case RE2::ErrorBadUTF8:
		return "invalid UTF-8";
	case RE2::ErrorBadNamedCapture:
		return "invalid named capture";
	default:
		return "expression too large";
	}
}

static size_t class_length(const char *at)
{
	size_t i = at[1] == '^' ? 2 : 1;
	i += at[i] == ']';
	while (at[i] && at[i] != ']') {
		const char *named_end =
			strncmp(at + i, "[:", 2) == 0 ? strstr(at + i, ":]") : nullptr;
		if (named_end)
			i = static_cast<size_t>(named_end - at) + 2;
		else
			i += at[i] == '\\' && at[i + 1] ? 2 : 1;
	}
	return at[i] ? i + 1 : i;
}

// Of what is quoted, escaped, or a class of characters; else 1.
static size_t piece_length(const char *at)
{
	if (strncmp(at, "\\Q", 2) == 0) {
		const char *end = strstr(at, "\\E");
		return end ? static_cast<size_t>(end - at) + 2 : strlen(at);
	}
	if (*at == '\\' && at[1])
		return 2;
	return *at == '[' ? class_length(at) : 1;
}

// "\C", any byte, is RE2's alone: Go refuses it. Of an expression that compiles.
static bool takes_bytes(const char *at)
{
	while (*at && strncmp(at, "\\C", 2) != 0)
		at += piece_length(at);
	return *at;
}

// Go takes "(?<name>" for "(?P<name>", the only form that RE2 knows.
static std::string with_long_names(const char *at)
{
	std::string spelled;
	while (*at) {
		if (strncmp(at, "(?<", 3) == 0) {
			spelled += "(?P<";
			at += 3;
			continue;
		}
		size_t length = piece_length(at);
		spelled.append(at, length);
		at += length;
	}
	return spelled;
}

// What of it is wrong, as it was written.
static std::string with_its_names(std::string wrong, const char *pattern)
{
	size_t at = 0;
	while (!strstr(pattern, wrong.c_str()) &&
		(at = wrong.find("(?P<", at)) != std::string::npos)
		wrong.erase(at + 2, 1);
	return wrong;
}

static shim_regex *compile(const char *pattern, bool dot_nl, char *why, size_t size)
{
	re2::RE2::Options options;
	options.set_log_errors(false);
	options.set_dot_nl(dot_nl);
	const std::string spelled = with_long_names(pattern);
	shim_regex *regex = new (std::nothrow) shim_regex(spelled.c_str(), options);
	bool well = regex && regex->compiled.ok();
	if (well && !takes_bytes(pattern))
		return regex;
	if (well)
		snprintf(why, size, "%s: `\\C`", sentence(RE2::ErrorBadEscape));
	else if (regex)
		snprintf(why, size, "%s: `%s`", sentence(regex->compiled.error_code()),
			with_its_names(regex->compiled.error_arg(), pattern).c_str());
	else
		snprintf(why, size, "out of memory");
	delete regex;
	return nullptr;
}

shim_regex *shim_regex_new(const char *pattern, char *why, size_t size)
{
	return compile(pattern, true, why, size);
}

shim_regex *shim_regex_search_new(const char *pattern, char *why, size_t size)
{
	return compile(pattern, false, why, size);
}

void shim_regex_free(shim_regex *regex)
{
	delete regex;
}

bool shim_regex_matches(const shim_regex *regex, const char *text)
{
	return re2::RE2::FullMatch(text, regex->compiled);
}

static bool match(const shim_regex *regex, const char *text, size_t from, re2::RE2::Anchor anchor,
	int *spans, size_t n)
{
	re2::StringPiece found[SHIM_GROUPS], all(text);
	if (n > SHIM_GROUPS)
		n = SHIM_GROUPS;
	if (!regex->compiled.Match(all, from, all.size(), anchor, found, static_cast<int>(n)))
		return false;
	for (size_t i = 0; i < n; i++) {
		bool took_part = found[i].data() != nullptr;
		spans[2 * i] = took_part ? static_cast<int>(found[i].data() - text) : -1;
		spans[2 * i + 1] =
			took_part ? spans[2 * i] + static_cast<int>(found[i].size()) : -1;
	}
	return true;
}

bool shim_regex_search(const shim_regex *regex, const char *text, size_t from, int *spans, size_t n)
{
	return match(regex, text, from, re2::RE2::UNANCHORED, spans, n);
}

bool shim_regex_find(const shim_regex *regex, const char *text, int *spans, size_t n)
{
	return match(regex, text, 0, re2::RE2::ANCHOR_BOTH, spans, n);
}

int shim_regex_group(const shim_regex *regex, const char *name, size_t length)
{
	int number = 0;
	bool digits = length == 1 || (length > 0 && length < 6 && *name != '0');
	for (size_t i = 0; i < length && digits; i++) {
		digits = name[i] >= '0' && name[i] <= '9';
		number = number * 10 + (name[i] - '0');
	}
	if (digits)
		return number <= regex->compiled.NumberOfCapturingGroups() ? number : -1;
	const auto &groups = regex->compiled.NamedCapturingGroups();
	auto found = groups.find(std::string(name, length));
	return found == groups.end() ? -1 : found->second;
}
