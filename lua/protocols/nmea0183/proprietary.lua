-- Sentences of manufacturers, by their whole address: Garmin, Kenwood, MediaTek, RD Instruments, SKIPPER, Sony,
-- u-blox and others; and by "PUBX" with its number.

return {
  PASHR = ":t heading:n =T roll:n pitch:n heave:n roll_accuracy:n pitch_accuracy:n heading_accuracy:n aiding_status:i imu_status:i",
  PGRME = "horizontal:n =M vertical:n =M spherical:n =M",
  PGRMM = "map_datum",
  PGRMT = "model_and_firmware_version rom_checksum_test=PF receiver_failure_discrete=PF stored_data_lost=RL realtime_clock_lost=RL"
    .. " oscillator_drift_discrete=PF data_collection_discrete=C sensor_temperature:n sensor_configuration_data=RL",
  PGRMZ = "altitude_feet:n =f fix_type=123",
  PHTRO = "pitch:n bow=MP roll:n port=BT",
  PKLDS = ":t validity=AV :lat :lon speed:knots course:n :date variation:n sentence_version fleet unit_id status extension",
  PKLID = "sentence_version fleet unit_id status extension",
  PKLSH = ":lat :lon :t validity=AV fleet unit_id",
  PKNDS = ":t validity=AV :lat :lon speed:knots course:n :date variation:n sentence_version unit_id status extension",
  PKNID = "sentence_version unit_id status extension",
  PKNSH = ":lat :lon :t validity=AV unit_id",
  PKWDWPL = ":t validity=AV :lat :lon speed:knots course:n :date altitude:n waypoint_name table_symbol",
  PMTK001 = "command:i flag:i",
  PMTK010 = "system_message:i",
  PMTK011 = "text",
  PRDID = "pitch:n roll:n heading:n",
  PSKPDPT = "depth:n offset:n range_scale:n bottom_echo_strength:i channel_number:i transducer_location",
  PSONCMS = "quaternion0:n quaternion1:n quaternion2:n quaternion3:n acceleration_x:n acceleration_y:n acceleration_z:n"
    .. " rate_of_turn_x:n rate_of_turn_y:n rate_of_turn_z:n magnetic_field_x:n magnetic_field_y:n magnetic_field_z:n"
    .. " sensor_temperature:n",
  PUBX00 = "- :t :lat :lon altitude:n navigation_status horizontal_accuracy:n vertical_accuracy:n speed:n course:n"
    .. " vertical_velocity:n dgps_age:n hdop:n vdop:n tdop:n satellites:i",
  PUBX04 = "- :t :date time_of_week:n week leap_seconds clock_bias:n clock_drift:n timepulse_granularity:n",
}
