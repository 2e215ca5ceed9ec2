/* How a handshake is shown the API's certificate, and by what it proves that it is ours.
 *
 * What a connection begins with it keeps until its end, since it may be amid its handshake
 * when another one takes the place. Main thread. (GnuTLS' names
 * are not for the API's other files: it has a tag `params` of its own.)
 */
#pragma once

#include <microhttpd.h>

#include "api.h"

/* NULL stays NULL. */
struct api_certificate *certificate_hold(struct api_certificate *certificate);
/* A new connection's handshake is shown this one, which it must hold. */
void certificate_pin(struct api_certificate *certificate, struct MHD_Connection *connection);
/* Of the daemon: that it shows what is pinned. */
struct MHD_OptionItem certificate_option(void);
