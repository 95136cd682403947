#pragma once

/* A user namespace for a mount: it shows the id `inside` (on disk) as `outside`. Needs root. */
int make_user_namespace(unsigned inside, unsigned outside);
