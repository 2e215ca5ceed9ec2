/* What the parts of ingest share.
 *
 * A worker owns its loop, connections, sessions and flights; nothing of it is
 * touched by another thread. Threads meet in mailboxes (to a worker, to the main
 * thread), in the tables of seats and quotas and in the refusals' counters, which
 * have locks of their own, and in a few atomics. Each worker admits and pools its
 * own share of who comes.
 *
 *   connection -> frame -> flight (a pooled store entry) -> store's writer
 *                                                        -> worker's mailbox -> ack
 */
#pragma once

#include <stdatomic.h>
#include <sys/queue.h>

#include <fenwatch/buf.h>
#include <fenwatch/conn.h>
#include <fenwatch/frame.h>
#include <fenwatch/items.h>
#include <fenwatch/loop.h>
#include <fenwatch/mem.h>
#include <fenwatch/tls.h>
#include <fenwatch/wire.h>

#include "enrol.h"
#include "ingest.h"
#include "store.h"

#define MACHINE_BYTES 32
#define BOOT_BYTES 16
#define HELLO_MS 10000 /* from accept to hello */
#define HANDSHAKE_MS 10000
#define SILENCE_MS 45000
#define HEARTBEAT_MS 15000
#define WRITE_LIMIT (256u << 10) /* what a peer may leave unread */
#define EARLY_BYTES (64u << 10)  /* of one frame, of who is not greeted: anybody */
#define FLIGHTS_LIMIT 96         /* of one session before it is paused */
#define FLIGHT_BYTES_LIMIT (2u << 20)
#define WORKER_BYTES_LIMIT (64u << 20)
#define SCHEMAS_LIMIT 4096 /* announced on one connection: each host has its own */
#define HOSTS_LIMIT 4096

struct flight;
struct session;
struct worker;

/* ---- refusals: one line each, a flood becomes a count ---- */

enum cause {
	CAUSE_TLS,      /* handshake: no certificate, wrong CA, TLS 1.2, plaintext */
	CAUSE_STANDING, /* unknown, revoked or expired */
	CAUSE_CLONE,
	CAUSE_PROTOCOL, /* malformed frames and messages */
	CAUSE_SILENCE,  /* no hello in time */
	CAUSE_ENROL,
	CAUSE_STORE,    /* batches that the store will not have */
	CAUSE_OVERLOAD, /* does not read, too many connections */
	CAUSES
};

struct refusals {
	uv_mutex_t lock;
	struct {
		int64_t window_ms;
		unsigned told, untold;
	} causes[CAUSES];
};

void refusals_log(struct refusals *refusals, enum cause cause, const char *address,
	const char *name, const char *why);
/* Tells the counts of what was not told in full. */
void refusals_sum_up(struct refusals *refusals);

/* ---- admission: how fast newcomers are let in ----
 *
 * A handshake costs as much as thousands of batches, so who is connected must not
 * wait for those who come. Who is not admitted yet waits in the kernel's queue, in
 * the order of coming, and costs nothing there. */

#define ADMISSIONS_A_SECOND 500 /* all workers together */
#define ADMISSION_BURST_MS 100  /* what may be saved up */

struct admission {
	uint64_t a_second, credit, most; /* in thousandths of an admission */
	uint64_t at_ms;
};

void admission_init(struct admission *admission, unsigned n_workers, uint64_t now_ms);
void admission_take(struct admission *admission); /* one, at a moment without a wait */
/* Milliseconds until the next one may come in; 0: now. */
uint64_t admission_wait_ms(struct admission *admission, uint64_t now_ms);

/* ---- the pool: who has come and said nothing yet ----
 *
 * It is never closed to newcomers for long: in a full one, the address with the most
 * connections in it loses its oldest, once that has had its time. Were it to lose it
 * at once, a collector that is slow to listen would let in and throw out for ever, and
 * the more come back the fewer would get through. */

#define POOL_LIMIT 1200       /* all workers together: half a handshake takes up to 50 kB */
#define POOL_PATIENCE_MS 5000 /* the time that is anybody's to say hello */
#define ADDRESS_BYTES 16

struct waiter {
	TAILQ_ENTRY(waiter) in_source;
	struct source *source; /* NULL: not in the pool */
	uint64_t order, since_ms;
};

TAILQ_HEAD(source_list, source);

struct pool {
	struct source_list sources;
	unsigned count, limit;
	uint64_t orders;
};

void pool_init(struct pool *pool, unsigned n_workers);
void pool_enter(struct pool *pool, struct waiter *waiter, const uint8_t address[ADDRESS_BYTES],
	uint64_t now_ms);
void pool_leave(struct pool *pool, struct waiter *waiter); /* harmless twice */
bool pool_is_full(const struct pool *pool);
/* Milliseconds until one more may come in, should nobody leave before; 0: now. */
uint64_t pool_wait_ms(const struct pool *pool, uint64_t now_ms);
/* Half of the pool is taken, and this address has a quarter of it. */
bool pool_is_hogged_by(const struct pool *pool, const uint8_t address[ADDRESS_BYTES]);
struct waiter *pool_victim(const struct pool *pool); /* of a pool that is not empty */

/* ---- seats: which connection speaks for an agent ---- */

struct seat {
	struct seat *next;
	uint8_t agent[16];
	uint8_t machine[MACHINE_BYTES], boot[BOOT_BYTES];
	uint64_t number; /* of the session */
	struct worker *worker;
	_Atomic int64_t heard_ms;
	int64_t challenged_ms; /* another boot of it came by; 0: none did lately */
	bool taken;            /* in the table */
};

#define SEAT_BUCKETS 8192

struct seats {
	uv_mutex_t lock;
	struct seat *buckets[SEAT_BUCKETS];
};

enum seat_verdict {
	SEAT_TAKEN,
	SEAT_REPLACED, /* taken; `older` is to be closed */
	SEAT_BUSY,     /* `older` must be heard from, or die, before this can be decided */
	SEAT_CLONE,    /* `older` is alive on another machine or boot */
};

struct seat_older {
	struct worker *worker;
	uint64_t number;
	uint8_t machine[MACHINE_BYTES];
};

enum seat_verdict seats_take(
	struct seats *seats, struct seat *seat, int64_t now_ms, struct seat_older *older);
void seats_leave(struct seats *seats, struct seat *seat);

/* ---- quotas: a name is kept for long, so one agent may not bring any number ---- */

#define QUOTA_COLUMNS 1000000 /* new ones, of one agent, in a day */

struct quota {
	struct quota *next;
	uint8_t agent[16];
	uint64_t columns;
};

struct quotas {
	uv_mutex_t lock;
	int64_t since_ms; /* monotonic: when this day of ours began */
	struct quota *buckets[SEAT_BUCKETS];
};

bool quotas_take(struct quotas *quotas, const uint8_t agent[16], uint32_t columns, int64_t now_ms);
void quotas_forget(struct quotas *quotas);

/* ---- mail ---- */

enum worker_mail_kind {
	MAIL_FLIGHT,   /* struct flight: the store has answered */
	MAIL_ENROLLED, /* struct enrol_mail: the main thread has answered */
	MAIL_ORDER,    /* struct order */
};

struct worker_mail {
	struct fw_mail mail;
	enum worker_mail_kind kind;
};

enum order_kind {
	ORDER_DROP,     /* all connections of `agent` */
	ORDER_REPLACE,  /* session `number`: a newer one exists */
	ORDER_DOCUMENT, /* `agent`: ask for the whole of the kind that `why` names */
	ORDER_PROBE,    /* session `number`: send something, so that a dead peer shows */
	ORDER_TLS,      /* use this context from now on */
	ORDER_STOP,
};

struct order {
	struct worker_mail mail;
	enum order_kind kind;
	uint8_t agent[16];
	uint64_t number;
	SSL_CTX *tls;
	char why[128];
};

enum main_mail_kind {
	MAIN_ENROL,
	MAIN_CLONE,
	MAIN_CLAIMED,
	MAIN_GREETED,
	MAIN_MISSED,
	MAIN_WORKER_ENDED
};

struct main_mail {
	struct fw_mail mail;
	enum main_mail_kind kind;
};

/* A request to enrol or renew: to the main thread and, answered, back. */
struct enrol_mail {
	struct main_mail to_main;
	struct worker_mail to_worker;
	struct worker *worker;
	struct session *session; /* held until the answer is back */
	struct fw_arena arena;
	struct enrol_request request;
	struct fw_cert_facts peer;
	struct enrol_grant grant;
	int rc;
	struct fw_err err;
};

struct clone_mail {
	struct main_mail mail;
	char name[256], machine_a[2 * MACHINE_BYTES + 1], machine_b[2 * MACHINE_BYTES + 1];
};

struct claimed_mail {
	struct main_mail mail;
	char device[256], claimant[256];
	uint8_t owner[16];
};

/* Greeted, or missed: then agent and host alone. */
struct greeted_mail {
	struct main_mail mail;
	struct ingest_greeting greeting;
};

/* ---- workers ---- */

TAILQ_HEAD(session_list, session);

struct counters {
	_Atomic uint64_t connections, handshakes, frames, bytes, acks, refused, protocol_errors;
};

struct worker {
	struct ingest *ingest;
	unsigned index;
	uv_thread_t thread;
	uv_loop_t loop;
	struct fw_mailbox mailbox;
	struct fw_listener *listener;
	struct fw_owner owner;
	uv_timer_t tick;
	uv_timer_t gate; /* opens when the next may be admitted */
	uv_check_t flush;
	SSL_CTX *tls;
	bool stopping;
	unsigned n_sessions;
	struct admission admission;
	struct pool pool;
	struct session_list ungreeted; /* oldest first */
	struct session_list greeted;   /* longest without a word from us first */
	struct session_list dirty;     /* something to acknowledge */
	struct session_list paused;
	struct flight *free_flights;
	unsigned n_free_flights;
	size_t flight_bytes;
	struct fw_arena scratch; /* one message */
	struct fw_buf out;       /* one frame */
	struct counters counters;
	struct main_mail ended;
};

struct ingest {
	struct ingest_config config;
	struct fw_mailbox mailbox; /* of the main thread */
	struct fw_owner owner;
	uv_timer_t renewal; /* of the server's certificate */
	int64_t renew_at_ms;
	struct seats seats;
	struct quotas quotas;
	struct refusals refusals;
	_Atomic uint64_t next_number;
	_Atomic unsigned n_connections;
	unsigned connections_limit; /* so that descriptors are left for everything else */
	unsigned port, n_workers, n_running;
	unsigned n_open; /* mailbox, owner */
	bool closing;
	void (*on_closed)(void *arg);
	void *closed_arg;
	struct worker *workers;
};

/* Makes the loop and listens; port 0 chooses one. What fails leaves nothing behind. */
int worker_init(struct worker *worker, struct ingest *ingest, unsigned index, SSL_CTX *tls,
	const char *address, unsigned *port, struct fw_err *err);
void worker_run(struct worker *worker);     /* until ORDER_STOP and everything has ended */
void worker_abandon(struct worker *worker); /* instead of worker_run */
/* The copy goes to the worker; false and gone when the worker is closing. */
bool worker_order(struct worker *worker, const struct order *order);
void worker_session_ended(struct worker *worker);

/* ---- flights ---- */

struct flight {
	struct worker_mail mail;
	struct store_entry entry;
	struct worker *worker;
	struct session *session;
	uint32_t wire_host;
	uint64_t order; /* among its session's flights */
	struct fw_batch batch;
	struct fw_arena arena;
	struct fw_buf payload;
	struct flight *next_free;
};

struct flight *flight_new(struct session *session, enum store_kind kind);
void flight_submit(struct flight *flight);
void flight_landed(struct flight *flight); /* the store has answered it */
void flight_free(struct flight *flight);
void flights_done(struct worker *worker);

/* ---- sessions ---- */

enum stage {
	STAGE_TLS,
	STAGE_HELLO,   /* may say hello, or renew */
	STAGE_ENROL,   /* may enrol or renew, nothing else */
	STAGE_ASKED,   /* the main thread decides */
	STAGE_OPENING, /* the store is opening the session */
	STAGE_STREAMING,
	STAGE_CLOSING,
	STAGES
};

/* A connection's numbers for what the store knows by its own. */
struct id_map {
	struct {
		uint32_t wire, store;
	} * pairs;
	unsigned count, last;
};

bool id_map_find(struct id_map *map, uint32_t wire, uint32_t *store);
int id_map_set(struct id_map *map, unsigned limit, uint32_t wire, uint32_t store);

struct session {
	TAILQ_ENTRY(session) in_list; /* ungreeted or greeted */
	TAILQ_ENTRY(session) in_dirty, in_paused;
	struct waiter waiter;
	struct worker *worker;
	struct fw_conn *conn; /* NULL once it has ended */
	enum stage stage;
	bool is_greeted, is_dirty, is_paused, is_handling;
	bool asks;                     /* a request to enrol is with the main thread */
	uint64_t accepted_ms, sent_ms; /* on the loop's clock */
	int64_t expires_ms;            /* its certificate, or the one that it was given since */
	uint8_t agent[16];
	char *name; /* as enrolled */
	struct seat *seat;
	uint64_t number, stream;
	uint32_t host, interval_ms;
	struct id_map schemas, hosts;
	struct fw_buf in; /* a frame that is not complete, or waits */
	unsigned in_flight;
	size_t flight_bytes;
	uint64_t orders, ignored_orders; /* flights up to here need no key any more */
	uint64_t acked[STORE_LANES], told[STORE_LANES];
	uint32_t need_key; /* of the next ack */
	char *refused;
	int64_t claimed_ms; /* when it was last told that it claims another's device */
	char needs[FW_DOCUMENTS_LIMIT][FW_DOCUMENT_KIND_LIMIT + 1]; /* inventory to ask for */
	unsigned n_needs;
	struct fw_buf welcome; /* the hello's known schemas and class, until the welcome */
	const struct ingest_settings *settings;
};

/* True when it was admitted; false when it was turned away at the door, at no cost. */
bool session_accept(struct worker *worker, int fd);
/* Says goodbye with a reason for the peer; the connection then ends by itself. */
void session_hang_up(struct session *session, Fenwatch__Wire__Goodbye__Reason reason,
	uint32_t retry_ms, const char *text);
/* The same, with one line in the log. */
void session_refuse(struct session *session, enum cause cause,
	Fenwatch__Wire__Goodbye__Reason reason, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
void session_write(struct session *session, const struct fw_buf *frames);
void session_send(
	struct session *session, enum fw_frame_type type, const ProtobufCMessage *message);
void session_release(struct session *session); /* frees it when nothing holds it any more */
void session_resume(struct session *session);
void session_greeted(struct session *session);
bool session_has_room(const struct session *session);

/* hello.c: what comes before the stream. */
void hello_check_peer(struct session *session);
void hello_take(struct session *session, const struct fw_frame *frame);
void hello_opened(struct session *session, const struct store_entry *entry);
void hello_take_enrol(struct session *session, const struct fw_frame *frame);
void hello_enrolled(struct enrol_mail *mail);
void hello_answer(struct ingest *ingest, struct enrol_mail *mail); /* main thread */

/* stream.c: what comes in a stream, and what is said back. */
void stream_begin(struct session *session);
void stream_take_schema(struct session *session, const struct fw_frame *frame);
void stream_take_host(struct session *session, const struct fw_frame *frame);
void stream_take_batch(struct session *session, const struct fw_frame *frame);
void stream_take_document(struct session *session, const struct fw_frame *frame);
void stream_take_event(struct session *session, const struct fw_frame *frame);
void stream_flown(struct session *session, const struct flight *flight);
void stream_need_document(struct session *session, const char *kind);
void stream_ack(struct session *session);
