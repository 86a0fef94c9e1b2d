-- Manufacturers by their FLAG id, with which system titles and logical device names begin.

return {
  AID = "Aidon", ISK = "Iskraemeco", KAM = "Kamstrup", KFM = "Kaifa", LGF = "Landis+Gyr", LGZ = "Landis+Gyr",
  SAG = "Sagemcom",
}
