#pragma once

/* "Something happened: idleness may have begun, or ended." Told by whatever keeps requests, calls
 * or containers to the program, which alone judges. */

typedef struct Activity {
        void (*function)(void *data); /* may be NULL */
        void *data;
} Activity;

static inline void activity_tell(const Activity *activity)
{
        if (activity->function)
                activity->function(activity->data);
}
