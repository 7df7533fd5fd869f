// What the media process does to itself before it opens a socket for media.
#pragma once

namespace ringfence {

// No core dumps, no ptrace by others, no new privileges.
bool hardenProcess();
// As many descriptors as the limits allow; root may raise them.
void raiseDescriptorLimit();
// Gives back pages of code and constants that start-up touched; the kernel brings back the few that are used.
void trimResident();

}  // namespace ringfence
