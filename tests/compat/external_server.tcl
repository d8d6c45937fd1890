# What run-reference-suite changes in the harness, which loads this behind its own support/server.tcl.

# A parameter that our server refuses does not end the whole unit: the tests of the block are run without it, and show
# what comes of that.
proc accepted_overrides {overrides} {
    set client [redis $::host $::port 0 $::tls]
    set accepted {}
    foreach {name value} $overrides {
        set before [lindex [$client config get $name] 1]
        if {[catch {$client config set $name $value} error]} {
            puts "# not set: $name $value: $error"
        } else {
            $client config set $name $before
            lappend accepted $name $value
        }
    }
    $client close
    return $accepted
}

rename run_external_server_test run_reference_server_test

proc run_external_server_test {code overrides} {
    uplevel 1 [list run_reference_server_test $code [accepted_overrides $overrides]]
}

rename start_server start_reference_server

set ::servers_to_kill {}

proc start_server {options {code undefined}} {
    if {!$::external} {
        leave_refused_parameters
        read_our_log
    }
    recover_from_failures
    set server [uplevel 1 [list start_reference_server $options $code]]
    if {$code eq {undefined}} {
        lappend ::servers_to_kill $server ;# by the test, if it comes so far
    }
    return $server
}

# A test that fails in the middle does not take the ones behind it with it: they find a connection, in the mode that it
# was in, and the parameters as they stood before that test.
proc recover_from_failures {} {
    if {[info procs reference_test] ne {}} return
    rename test reference_test

    proc test {args} {
        if {[llength $::servers] == 0} {
            set failed $::num_failed
            set servers_before [llength $::servers_to_kill]
            uplevel 1 [list reference_test {*}$args]
            if {$::num_failed > $failed} {
                kill_left_behind $servers_before
            }
            return
        }
        set failed $::num_failed
        set servers_before [llength $::servers_to_kill]
        set parameters [ask_apart config get *]
        set modes [connection_modes]
        uplevel 1 [list reference_test {*}$args]
        if {$::num_failed > $failed} {
            kill_left_behind $servers_before
            recover $parameters $modes
        }
    }

    proc kill_left_behind {count} {
        foreach server [lrange $::servers_to_kill $count end] {
            if {[is_alive $server]} {
                kill_server $server
            }
        }
        set ::servers_to_kill [lrange $::servers_to_kill 0 $count-1]
    }

    # Asks over a connection of its own: that of the tests may wait for anything.
    proc ask_apart {args} {
        set client [redis [srv host] [srv port] 0 $::tls]
        set reply {}
        catch {set reply [$client {*}$args]} ;# it may want a password
        $client close
        return $reply
    }

    proc connection_modes {} {
        set id [string trimleft [srv client] {:redisHandle}]
        set protocol [expr {[info exists ::redis::testing_resp3($id)] && $::redis::testing_resp3($id) ? 3 : 2}]
        return [list $protocol $::redis::readraw($id) $::redis::deferred($id)]
    }

    proc recover {parameters modes} {
        lassign $modes protocol readraw deferred
        if {[llength $::servers] == 1} { ;# else tests keep connections, and who follows whom, from one to the next
            reconnect
            catch {ask_apart replicaof no one} ;# the test may have ended as a replica
        }
        ask_apart client unpause
        ask_apart debug set-active-expire 1
        foreach {name value} $parameters {
            if {[lindex [ask_apart config get $name] 1] ne $value} {
                ask_apart config set $name $value
            }
        }
        if {[llength $::servers] == 1} {
            if {$protocol == 3} {
                r hello 3
            }
            r readraw $readraw
            r deferred $deferred
        }
    }
}

# Where the harness starts the servers, the tests set parameters as they go, also between two tests. One that our server
# refuses because it has no use for it, or takes it when it starts, stays as it is.
proc leave_refused_parameters {} {
    if {[info procs ::redis::reference_dispatch] ne {}} return
    rename ::redis::__dispatch__ ::redis::reference_dispatch

    proc ::redis::__dispatch__ {id method args} {
        set failed [catch {::redis::reference_dispatch $id $method {*}$args} reply]
        if {!$failed || ![is_refused_parameter $method $args $reply]} {
            return -code $failed $reply
        }
        foreach {name value} [lrange $args 1 end] {
            if {[catch {::redis::reference_dispatch $id config set $name $value} error]} {
                puts "# not set: $name $value: $error"
            }
        }
        return OK
    }

    proc is_refused_parameter {method arguments reply} {
        return [expr {[string equal -nocase $method config] && [string equal -nocase [lindex $arguments 0] set] &&
                      ([string match {*this server has no use for it, so it keeps its value} $reply] ||
                       [string match {*this server takes it from its own configuration when it starts} $reply])}]
    }
}

# The reference's log says of each payload that it refuses what is wrong with it. What clients send does not fill our log:
# COMMAND STATS count what was refused.
proc read_our_log {} {
    if {[info procs verify_reference_log] ne {}} return
    rename verify_log_message verify_reference_log

    proc verify_log_message {server pattern from_line} {
        set failed [catch {verify_reference_log $server $pattern $from_line} error]
        if {$failed && (![is_about_payload $pattern] || [refused_payloads $server] == 0)} {
            error $error
        }
    }

    proc is_about_payload {pattern} {
        return [expr {[string match {*integrity check failed*} $pattern] ||
                      [string match {*Duplicate stream consumer detected*} $pattern]}]
    }

    proc refused_payloads {server} {
        set failed_calls 0
        regexp {cmdstat_restore:.*?failed_calls=(\d+)} [[srv $server client] info commandstats] all failed_calls
        return $failed_calls
    }
}
