/* The day a filesystem fills, told from how full it has been.
 *
 * What counts is the high-water mark: a filesystem fills when its mark reaches
 * its size. Log rotation, nightly dumps, backups with retention and temporary
 * files move below a mark that stays where it is; growth breaks it again and
 * again. So, from moments of the last four weeks (forecast_plan):
 *
 *   1. Days are counted back from now, so each holds every hour of the day. The
 *      mark of a day is the second highest of all daily maxima until then: what
 *      happened on one day only is no mark. The first week only teaches what is
 *      usual.
 *   2. A fall that had no like before it and after it was somebody's clean-up:
 *      what lies before is lowered by it. Falls that come again are the usual
 *      swing, and a rise of less than half of that is none.
 *   3. Over the last one, two and three weeks: the mark must have been broken on
 *      at least three days, no single day may have brought half of the rise (that
 *      is a step: a migration, an installation), and it must not have rested for
 *      longer than it did before. Shorter spans count where the rise is faster
 *      than it ever was, and hours where it leaves everything seen behind.
 *   4. The rise a day is the median of all slopes between two marks, the largest
 *      step taken as no more than the next largest. Its range is Sen's interval
 *      of 95 %, which must lie above zero, joined over the spans that hold.
 *      Where each week was faster than the one before it, that goes on.
 *   5. No span is believed for more than a few times its own length.
 *
 * Where this fails, nothing is said; what was said before stands for a third of its
 * span, five days at most, unless room was made: so a habit of weeks does not make an
 * alarm flap (tests/forecast/, with numbers turned by a quarter). No libuv, no store, no clock.
 *
 * Records as a test of trend: F. G. Foster, A. Stuart, "Distribution-free tests
 * in time-series based on the breaking of records", J. R. Stat. Soc. B 16 (1954).
 * Median of slopes: H. Theil, "A rank-invariant method of linear and polynomial
 * regression analysis", Proc. K. Ned. Akad. Wet. 53 (1950). Its interval: P. K.
 * Sen, "Estimates of the regression coefficient based on Kendall's tau", J. Am.
 * Stat. Assoc. 63 (1968). Largest values cut to the next: W. J. Dixon,
 * "Simplified estimation from censored normal samples", Ann. Math. Stat. 31 (1960).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FORECAST_DAYS 28
#define FORECAST_MOMENTS 512 /* at most so many of a plan */

struct forecast_sample {
	int64_t at_ms;
	double used; /* bytes or inodes: size less what ordinary users have left */
};

struct forecast {
	int64_t earliest_ms, likely_ms, latest_ms; /* wall times */
	size_t samples;                            /* what it rests on */
	int64_t span_ms;
	int64_t made_ms;
	int64_t stands_until_ms; /* if nothing can be said then, it is over */
	double stands_above;     /* below that much somebody has made room */
	double full;             /* from that much on it stands in any case */
};

/* The moments to sample up to now, oldest first, at most FORECAST_MOMENTS. */
size_t forecast_plan(int64_t now_ms, int64_t moments[FORECAST_MOMENTS]);

/* False: the data cannot carry a forecast. `samples` ascend in time and end at most at now. */
bool forecast_make(const struct forecast_sample *samples, size_t n, double size, int64_t now_ms,
	struct forecast *out);

/* Whether a forecast made before still stands where the data carry none now; a
 * zeroed one never does. */
bool forecast_stands(const struct forecast *forecast, double used, int64_t now_ms);

/* What is told after `made` (zeroed: nothing could be said) where `told` was told
 * before. The moment comes nearer at once; unless room was made it moves off no more
 * than a few times as fast as time goes on. */
void forecast_renew(
	struct forecast *told, const struct forecast *made, double used, int64_t now_ms);
