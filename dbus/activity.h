#pragma once

/* "Something happened: idleness may have begun, or ended." Whatever keeps requests, calls or
 * containers tells the program so; the program alone judges. */

typedef struct Activity {
        void (*function)(void *data); /* may be NULL */
        void *data;
} Activity;

static inline void activity_tell(const Activity *activity)
{
        if (activity->function)
                activity->function(activity->data);
}
