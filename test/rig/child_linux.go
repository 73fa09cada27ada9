package main

import "syscall"

// childAttributes keep an interrupt at the terminal for the rig, which ends its children itself,
// and end them when the rig is killed.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
