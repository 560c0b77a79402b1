"""The zygote without its heavy imports, and with stages that cost nothing."""

from isthmus.engines import zygote
from tests.engines import light_stage

if __name__ == "__main__":
    zygote.HEAVY = ()
    light_stage.instead()
    zygote.main()
