%% Erlang's side of `./dev bench trace`: a ping-pong, traced or not.
-module(trace_erlang).
-export([main/0]).

main() ->
    [Count | Figures] = init:get_plain_arguments(),
    [print(F, figure(F, list_to_integer(Count))) || F <- Figures],
    erlang:halt(0).

print(_, none) -> ok;
print(Figure, Ns) -> io:format("~s\t~f~n", [Figure, Ns]).

figure("off", Count) -> pingpong(Count, fun(_) -> ok end);
figure("full", Count) ->
    Tracer = spawn(fun drop/0),
    pingpong(Count, fun(Pid) ->
        erlang:trace(Pid, true, [send, 'receive', monotonic_timestamp, {tracer, Tracer}])
    end);
figure(_, _) -> none.

drop() -> receive _ -> drop() end.

%% Nanoseconds of a message; the tracer may still have some to drop when it is over.
pingpong(Count, Trace) ->
    Main = self(),
    Pong = spawn_link(fun pong/0),
    Ping = spawn_link(fun() -> receive go -> Main ! {ns, elapsed_ns(Pong, Count)} end end),
    Trace(Ping),
    Trace(Pong),
    Ping ! go,
    receive {ns, Ns} -> Ns / Count / 2 end.

elapsed_ns(Pong, Count) ->
    Start = erlang:monotonic_time(nanosecond),
    ping(Pong, Count),
    (erlang:monotonic_time(nanosecond) - Start) * 1.0.

pong() -> receive {ping, From} -> From ! pong, pong() end.

ping(_, 0) -> ok;
ping(Pong, N) ->
    Pong ! {ping, self()},
    receive pong -> ping(Pong, N - 1) end.
