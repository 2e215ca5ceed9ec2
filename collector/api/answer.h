/* How an answer leaves.
 *
 * Who answers writes into the request's buffer. Where much is to be said it
 * leaves a function instead that writes the next piece each time it is called:
 * the first pieces are made where the answer was found, the others as the client
 * takes them, so a long answer is never whole in memory. Who takes nothing for a
 * while is left. What is found out by answering comes before the first byte, so
 * a failure never follows a good status.
 */
#pragma once

#include <microhttpd.h>

struct request;

/* The first pieces, packed where the client takes gzip. Any thread. */
void answer_begin(struct request *r);
enum MHD_Result answer_send(struct request *r);
void answer_done(struct request *r);
