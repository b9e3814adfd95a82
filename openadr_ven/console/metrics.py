"""The agent's numbers for Prometheus, read from it when they are asked for."""

from collections.abc import Callable, Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from openadr_ven.application.agent import Agent
from openadr_ven.domain.shard_stand import ShardStand


class AgentMetrics(Collector):
    """Nothing is counted twice: the agent's own state is the source."""

    def __init__(self, agent: Agent, stands: Callable[[], Sequence[ShardStand]] = tuple) -> None:
        self._agent = agent
        self._stands = stands

    def collect(self) -> Iterator[Metric]:
        agent, tick = self._agent, self._agent.last
        yield GaugeMetricFamily("ven_devices", "Devices of the fleet", value=agent.seen.fleet.size)
        registered = float(agent.upstream in {"registered", "reachable"})
        yield GaugeMetricFamily("ven_registered", "1 while the VTN knows us", value=registered)
        yield GaugeMetricFamily("ven_events_held", "Events that are not over", value=len(agent.held))
        yield CounterMetricFamily("ven_rounds", "Rounds of commands made", value=agent.control.sequence)
        power = GaugeMetricFamily("ven_relief_watts", "Relief of the fleet", labels=["what"])
        if tick is not None:
            power.add_metric(["asked"], tick.asked_w)
            power.add_metric(["allowed"], tick.allowed_w)
            power.add_metric(["commanded"], 0.0 if tick.plan is None else tick.plan.planned_w)
            power.add_metric(["delivered"], 0.0 if tick.plan is None else float(tick.given_w.sum()))
        yield power
        commands = GaugeMetricFamily("ven_commands", "Devices by the state of their last command", labels=["state"])
        for state, count in agent.control.commands.counts().items():
            commands.add_metric([state], count)
        yield commands
        short = GaugeMetricFamily("ven_shortfall_watts", "What the plan falls short of, by cause", labels=["cause"])
        if tick is not None and tick.plan is not None:
            for cause, watts in tick.plan.shortfall_by_cause.items():
                short.add_metric([cause.value], watts)
        yield short
        alive = GaugeMetricFamily("ven_shard_alive", "1 while a shard speaks for its part", labels=["shard"])
        for stand in self._stands():
            alive.add_metric(["" if stand.number is None else str(stand.number)], float(stand.is_alive))
        yield alive
