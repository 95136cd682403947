def report(world, rounds):
    pass
